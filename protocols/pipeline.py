"""Steps that prepare rows, and a model, as one estimator: so that scalers are fitted on training rows only.

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, solver="sgd"))
    await model.set_params(logisticregression__C=1.0).fit(X, y, present=here)

scikit-learn's names: a parameter of a step is ``step__parameter``. Everything stays secret, as in the steps themselves.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Self

from mpc.arrays import SecretArray
from mpc.errors import WrongType
from protocols.errors import NotFitted
from protocols.estimator import Estimator

__all__ = ["Pipeline", "make_pipeline"]


class Pipeline(Estimator):
    """Transformers, one after another, and a model at the end.

    Args:
        steps: [(name, estimator)]: all but the last have ``fit`` and ``transform``. Names have no "__".

    ``fit`` changes the steps given, as scikit-learn's does. WrongType, when it is made, for steps that do not fit in: a
    SimpleImputer, which must be told which cells are missing, works before the pipeline.

    Attributes:
        named_steps: {name: estimator}.
    """

    def __init__(self, steps: Sequence[tuple[str, Any]]) -> None:
        self.steps = list(steps)
        names = [name for name, _ in self.steps]
        if not names or len(set(names)) != len(names) or any("__" in name for name in names):
            raise WrongType(f"steps {names}: at least one, each of a name of its own without '__'")
        for place, (name, step) in enumerate(self.steps):
            last = place == len(self.steps) - 1
            needed = ("fit",) if last else ("fit", "transform")
            lacks = [what for what in needed if not callable(getattr(step, what, None))]
            if not isinstance(step, Estimator) or lacks:
                raise WrongType(f"step {name!r}: an estimator with {' and '.join(needed)}, not {type(step).__name__}")
            if "missing" in inspect.signature(step.fit).parameters:  # type: ignore[attr-defined]
                raise WrongType(
                    f"step {name!r}: it needs to be told which cells are missing; impute before the pipeline"
                )

    @property
    def named_steps(self) -> dict[str, Any]:
        """The steps by their names."""
        return dict(self.steps)

    @property
    def model(self) -> Any:
        """The last step."""
        return self.steps[-1][1]

    @property
    def classes(self) -> Any:
        """The public labels of the model, where it has such; AttributeError otherwise."""
        return self.model.classes

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """``steps``; with ``deep`` each step by its name, and its parameters as ``step__parameter``."""
        found: dict[str, Any] = {"steps": self.steps}
        if deep:
            for name, step in self.steps:
                found[name] = step
                found.update({f"{name}__{key}": value for key, value in step.get_params().items()})
        return found

    def set_params(self, **params: Any) -> Self:
        """Change ``step__parameter``; WrongType for one that does not exist. ``steps`` are given when it is made."""
        named = self.named_steps
        for key, value in params.items():
            name, found, inner = key.partition("__")
            if name not in named or not found:
                raise WrongType(f"a pipeline of {', '.join(named)} has no parameter {key!r}: step__parameter is meant")
            named[name].set_params(**{inner: value})
        return self

    def check_params(self) -> None:
        """What each step refuses."""
        for _, step in self.steps:
            step.check_params()

    async def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, present: Any = None) -> Self:
        """Fit each step to what the steps before it made of the rows present. Weights are given to those that take
        them, and to the model. Rounds, bytes: those of the steps. Leaks nothing."""
        self.check_params()
        both = {"sample_weight": sample_weight, "present": present}
        given = {name: x for name, x in both.items() if x is not None}
        for _, step in self.steps[:-1]:
            taken = inspect.signature(step.fit).parameters  # an encoder of public categories takes neither
            await step.fit(X, y, **{name: x for name, x in given.items() if name in taken})
            X = await step.transform(X)
        await self.model.fit(X, y, **given)
        self.n_steps_fitted_ = len(self.steps)
        return self

    async def transform(self, X: Any) -> SecretArray:
        """What all steps make of X, the last one among them."""
        return await self._asked("transform", X)

    async def prepared(self, X: Any) -> Any:
        """What the steps before the model make of X: what the model sees."""
        self._fitted("n_steps_fitted_")
        for _, step in self.steps[:-1]:
            X = await step.transform(X)
        return X

    async def predict(self, X: Any) -> SecretArray:
        """The model's predictions."""
        return await self._asked("predict", X)

    async def predict_proba(self, X: Any) -> SecretArray:
        """The model's probabilities."""
        return await self._asked("predict_proba", X)

    async def decision_function(self, X: Any) -> SecretArray:
        """The model's decisions."""
        return await self._asked("decision_function", X)

    async def score(self, X: Any, y: Any, sample_weight: Any = None, *, present: Any = None) -> SecretArray:
        """The model's score, (), secret."""
        found: SecretArray = await self._of("score")(await self.prepared(X), y, sample_weight, present=present)
        return found

    async def _asked(self, name: str, X: Any) -> SecretArray:
        found: SecretArray = await self._of(name)(await self.prepared(X))
        return found

    def _of(self, name: str) -> Callable[..., Any]:
        if not hasattr(self, "n_steps_fitted_"):
            raise NotFitted("this Pipeline is not fitted: await fit(X, ...) first")
        found: Callable[..., Any] | None = getattr(self.model, name, None)
        if found is None:
            raise WrongType(f"{name} of a pipeline that ends with {type(self.model).__name__}, which has none")
        return found


def make_pipeline(*steps: Any) -> Pipeline:
    """A Pipeline whose steps are named by their classes, in small letters; of equal ones "-1", "-2" ... is added."""
    names = [type(step).__name__.lower() for step in steps]
    several, seen = Counter(names), Counter[str]()
    named = []
    for name, step in zip(names, steps, strict=True):
        seen[name] += 1
        named.append((f"{name}-{seen[name]}" if several[name] > 1 else name, step))
    return Pipeline(named)
