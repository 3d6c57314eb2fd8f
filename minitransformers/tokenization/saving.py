"""Writing."""


class SavingMixin:
    pass
