"""What can be wrong with an expression, before and while it runs."""


class ExpressionError(ValueError):
    """The text is not an expression this engine takes. `column` counts from 1, None where it is not known."""

    def __init__(self, message: str, column: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.column = column


class OutOfScopeError(ExpressionError):
    """Valid PromQL that is left out: native histograms, anchored and smoothed ranges, duration expressions."""


class EvaluationError(Exception):
    """The expression is sound but has no result on these series (duplicate label sets, ambiguous matching)."""


class OutOfScopeSampleError(EvaluationError):
    """The query touched a sample that is no float."""


class QueryLimitError(EvaluationError):
    """The result, or what it would take to compute it, is over the limit."""


class QueryTimeoutError(EvaluationError):
    """The time budget is spent."""
