"""Every setting, defined once. Recipes (TOML) and ``--set key=value`` only give values to these names."""

from __future__ import annotations

import codecs
import difflib
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from elcrec.errors import SettingsError
from elcrec.losses.registry import NEXT_ITEM_LOSSES
from elcrec.process.problems import plainly


def _loss(value: Any, shipped: ValidatorFunctionWrapHandler) -> Any:
    """The name of a loss: of the package, or registered since."""
    if isinstance(value, str) and value in NEXT_ITEM_LOSSES:
        return value
    try:
        return shipped(value)
    except ValidationError:
        names = ", ".join(NEXT_ITEM_LOSSES)
        raise ValueError(f"use one of {names}; register a loss of your own first (docs/extending.md)") from None


if TYPE_CHECKING:
    NextItemLossName = str
else:  # the registry's names, so that each is written once
    NextItemLossName = Annotated[Literal[tuple(NEXT_ITEM_LOSSES)], WrapValidator(_loss)]


def _fitting(value: Any) -> Any:
    """A value of a setting, unless it is a whole number beyond what 32 bits hold."""
    if isinstance(value, int) and value >= 2**31:
        raise ValueError("use a number below 2147483648")
    return value


def _names(value: Any) -> Any:
    """Names from a list, or from text that separates them by commas."""
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


def _weights(value: Any) -> Any:
    """Weights by name from a table, or from text: ``purchase:1,view:.1``."""
    if not isinstance(value, str):
        return value
    pairs = [one.rpartition(":") for one in _names(value)]
    if not all(name.strip() for name, _, _ in pairs):
        raise ValueError("write it as KIND:WEIGHT,KIND:WEIGHT, for example purchase:1,view:0.1")
    return {name.strip(): weight for name, _, weight in pairs}


def _automatic_as_zero(value: Any) -> Any:
    """A number, for which ``auto`` stands for 0."""
    return 0 if value == "auto" else value


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Weights = Annotated[dict[str, Annotated[float, Field(ge=0)]], BeforeValidator(_weights)]

AUTOMATIC = (
    *("ties", "split", "repeats", "windows", "exclude_seen", "n_intents", "embedding_dim", "dropout", "horizon"),
    *("batch_size", "learning_rate", "warmup_epochs", "epochs"),
)
"""Settings that can be left to training, ``name=auto``; see :mod:`elcrec.training.automatic`."""


class Settings(BaseModel):
    """The resolved settings of a run; written to ``config.json`` and immutable.

    Examples:
        >>> Settings(n_intents=64).n_intents
        64
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    # Data
    user_column: str | None = Field(
        default=None, description="Name of the user id column (default: found by its usual names)"
    )
    item_column: str | None = Field(
        default=None, description="Name of the item id column (default: found by its usual names)"
    )
    timestamp_column: str | None = Field(
        default=None, description="Name of the timestamp column (default: found by its usual names)"
    )
    event_column: str | None = Field(
        default=None, description="Name of the column with kinds of events (default: found by its usual names)"
    )
    title_column: str | None = Field(
        default=None,
        description="Name of the column of item metadata with titles (default: found by its usual names; without one "
        "the most specific column of text is shown)",
    )
    columns: str | None = Field(
        default=None,
        description="Column names by position, for a file without a header: user_id,item_id,_,timestamp ('_' skips a "
        "column)",
    )
    time_format: str | None = Field(
        default=None, description="Timestamp format (strptime), where it is ambiguous: %m/%d/%Y, %d.%m.%Y %H:%M:%S"
    )
    missing: Literal["refuse", "drop", "keep"] = Field(
        default="refuse",
        description="Missing values, rows without an id or a time: refuse the log, drop the rows, or keep "
        "words such as None as ids",
    )
    lists: Literal["refuse", "keep"] = Field(
        default="refuse",
        description="Ids that look like several ids (1,5 or A1 B2): refuse the log, or keep each as one id",
    )
    encoding: str | None = Field(
        default=None, description="Character encoding of a text file that is not UTF-8: cp1252, latin-1, ..."
    )
    events: Names = Field(
        default=(), description="Kinds of events to keep (purchase,cart); default: all events of the log"
    )
    event_weights: Weights = Field(
        default={},
        description="Weights of kinds of events as targets in training (purchase:1,cart:0.5,view:0.1); other kinds, "
        "and those of weight 0, are input only",
    )
    target_event: str | None = Field(
        default=None,
        description="Kind of event that is held out for validation and test, and predicted there (default: the kind "
        "with the largest of event_weights; without weights all kinds)",
    )
    weight_column: str | None = Field(
        default=None,
        description="Name of a column (weight, quantity, rating) that weighs events as targets in training",
    )
    min_weight: float | None = Field(
        default=None,
        description="Events whose weight_column is below this are input only: neither targets nor held out",
    )
    min_user_count: int = Field(default=1, ge=1, description="Filter: drop users with fewer interactions, in one pass")
    min_item_count: int = Field(default=1, ge=1, description="Filter: drop items with fewer interactions, in one pass")
    k_core: int = Field(
        default=1,
        ge=1,
        description="k-core filter: drop users and items with fewer than k interactions, until none is left",
    )
    ties: Literal["file", "shuffle"] = Field(
        default="file",
        description="Events of one user at one time: keep the order of the log (file), or treat them as a basket, a "
        "set that is shuffled in each epoch and predicted together (shuffle)",
    )
    split: Literal["leave_one_out", "leave_one_basket_out", "global_time"] = Field(
        default="leave_one_out",
        description="Data split: leave_one_out (last item: test, last but one: validation), leave_one_basket_out (the "
        "same with baskets, the events of one time) or global_time (two cut-off times, the same for all users)",
    )
    holdout_share: float = Field(
        default=0.1,
        gt=0,
        lt=0.5,
        description="Data split global_time: share of all events in the validation period, and in the test period",
    )

    train_share: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Training sample: share of the users that training uses, sampled by the seed; all users "
        "are evaluated",
    )

    # Model
    max_seq_len: int = Field(
        default=50, ge=1, le=4096, description="Maximum history length, in items; older items are ignored"
    )
    embedding_dim: int = Field(
        default=128, ge=1, le=65_536, description="Embedding dimension of items, positions and intent centres"
    )
    n_encoders: int = Field(
        default=1,
        ge=1,
        le=16,
        description="Number of encoders that learn side by side (an ensemble): each has its own part of an item's "
        "vector, embedding_dim wide, and scores are the mean of theirs",
    )
    n_layers: int = Field(default=2, ge=1, le=64, description="Number of transformer layers")
    n_heads: int = Field(default=2, ge=1, description="Number of attention heads; it must divide embedding_dim")
    filter_width: int = Field(
        default=5,
        ge=0,
        le=4096,
        description="Depthwise causal convolution in each layer, in addition to attention: kernel width in "
        "items; 0: none",
    )
    dropout: float = Field(default=0.5, ge=0, lt=1, description="Dropout rate of embeddings, attention and sublayers")
    n_intents: int = Field(default=256, ge=2, le=1_000_000, description="Number of intents (cluster centres), K")
    smoothing: float = Field(
        default=1.0,
        ge=0,
        description="Embedding propagation (LightGCN): weight of the embeddings of co-occurring items in an item's "
        "embedding; 0: none",
    )
    padding: Literal["skip", "encode"] = Field(
        default="skip",
        description="Padding mask: skip leaves padded positions out everywhere; encode lets them into the "
        "losses, as the released code does",
    )

    recency: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Recency weighting of the mean that represents a history: weight of a position relative "
        "to the next one (padding=skip)",
    )

    repeats: Literal["none", "fitted", "learned"] = Field(
        default="none",
        description="Repeat score, from how often, how recently and in which rhythm an item came before: none, fitted "
        "on validation after training, or learned with the network (softmax) and then fitted",
    )

    event_inputs: Literal["none", "kind", "gap", "both"] = Field(
        default="none",
        description="Embeddings of what is known of each event of a history, added to that of its item: its kind, the "
        "time since the event before it (gap), or both",
    )
    input_kinds: Names = Field(
        default=(), description="Kinds of events that event_inputs tells apart; default: those of the log"
    )

    item_features: bool = Field(
        default=True,
        description="Item features: learn from item metadata (categories, numbers, texts, vectors), where it is given "
        "(--items); false: only describe items with it",
    )
    user_features: bool = Field(
        default=True,
        description="User features: learn from what is known about users (age band, country, ...), where it is given "
        "(--users)",
    )

    # Objective
    next_item_loss: NextItemLossName = Field(
        default="softmax",
        description="Next-item loss: cross-entropy over all items (softmax) or sampled items "
        "(sampled_softmax), or binary cross-entropy with several negatives (gbce) or one (bce); see docs/losses.md",
    )
    horizon: int = Field(
        default=3,
        ge=1,
        le=50,
        description="Multi-step targets: number of following items that each position predicts (softmax losses)",
    )
    horizon_decay: float = Field(
        default=0.5, gt=0, le=1, description="Multi-step targets: weight of a target relative to the one before it"
    )
    feature_weight: float = Field(
        default=0.1, ge=0, description="Loss weight of predicting the features of the next item (item_features)"
    )
    n_negatives: int = Field(
        default=256,
        ge=1,
        le=10_000_000,
        description="Negative samples: per position (gbce) or per training step (sampled_softmax); bce "
        "always has one per position",
    )
    calibration: float = Field(
        default=0.75,
        ge=0,
        le=1,
        description="Calibration of gbce (t in gSASRec): 0 is plain cross-entropy, 1 corrects the negative sampling in "
        "full",
    )
    negatives: Literal["unseen_in_training", "unseen_ever"] = Field(
        default="unseen_in_training",
        description="Negative sampling (bce, gbce): leave out the training items of the user (unseen_in_training), or "
        "all items of the user (unseen_ever, as released)",
    )
    intent_learning: Literal["end_to_end", "em"] = Field(
        default="end_to_end",
        description="Learning of the intent centres: end_to_end with the recommender, or em: by k-means before every "
        "epoch (ICLRec)",
    )
    cluster_loss: Literal["nearest", "printed"] = Field(
        default="nearest",
        description="Cluster loss: nearest, the distance to the nearest centre with a load-balancing bias; "
        "or printed, as in the paper",
    )
    fusion: Literal["shift", "concat", "none"] = Field(
        default="concat",
        description="Fusion of a position with its intent centre in the instance contrast: sum (shift), "
        "concatenation or none (padding=encode)",
    )
    instance_weight: float = Field(
        default=0.0, ge=0, description="Loss weight of the contrastive loss between two augmented views"
    )
    intent_weight: float = Field(
        default=0.0, ge=0, description="Loss weight of the contrastive loss between views and intent centres"
    )
    cluster_weight: float = Field(default=0.1, ge=0, description="Loss weight of the cluster loss (alpha in the paper)")
    temperature: float = Field(default=0.1, gt=0, description="Temperature of both contrastive losses")
    crop_keep: float = Field(
        default=0.6, gt=0, le=1, description="Augmentation by cropping: share of the history that is kept"
    )
    mask_share: float = Field(
        default=0.3, ge=0, le=1, description="Augmentation by masking: share of the items that are masked"
    )
    reorder_share: float = Field(
        default=0.5, ge=0, le=1, description="Augmentation by reordering: share of the history that is shuffled"
    )

    # Training
    seed: int = Field(default=1, ge=0, lt=2**31, description="Random seed of everything random in a run")
    windows: int = Field(
        default=1,
        ge=1,
        description="Training rows of a history longer than max_seq_len: its newest items and, before them, further "
        "windows of that length, up to this number",
    )
    batch_size: int = Field(default=256, ge=1, le=10_000_000, description="Batch size, in users")
    epoch_steps: int = Field(
        default=60,
        ge=1,
        description="Minimum number of steps per epoch: an epoch repeats a small log as often as needed (1: never)",
    )
    epoch_users: int = Field(
        default=1_000_000,
        ge=1,
        description="Maximum number of users per epoch; from a larger log, each epoch takes another sample",
    )
    judged_users: int = Field(
        default=50_000,
        ge=1,
        description="Evaluation sample: maximum number of users, sampled by the seed, for the metrics and intent "
        "statistics of training",
    )
    baselines: bool = Field(
        default=True,
        description="Baselines: evaluate popularity, buying again, nearest neighbors, ... next to the model",
    )
    item_updates: Literal["all", "touched"] = Field(
        default="all",
        description="Optimizer updates of item embeddings: all (dense) or touched (sparse: only items in the step, for "
        "large catalogues)",
    )
    learning_rate: float = Field(
        default=1.5e-3, gt=0, description="Learning rate of Adam; with schedule=linear, the initial one"
    )
    weight_decay: float = Field(default=0.0, ge=0, description="L2 regularization (weight decay) of Adam")
    warmup_epochs: int = Field(
        default=2,
        ge=0,
        description="Warm-up: epochs with the next-item loss alone, before k-means initialises the intent centres",
    )
    epochs: int = Field(default=12, ge=1, description="Maximum number of epochs")
    patience: int = Field(
        default=8, ge=1, description="Early stopping: number of epochs without a better validation ndcg@20"
    )
    schedule: Literal["linear", "constant"] = Field(
        default="linear",
        description="Schedule: linear reduces the learning rate, and the weight of all multi-step targets "
        "but the first, to 0; or constant",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="Floating-point precision: auto computes the softmax in bfloat16 where the processor supports it; "
        "bfloat16 the encoder too",
    )

    threads: Annotated[int, BeforeValidator(_automatic_as_zero)] = Field(
        default=0,
        ge=0,
        le=1024,
        description="Threads of PyTorch; 0 or auto: as many as this process has cores, by affinity and the CPU quota "
        "of its container, and no more than OMP_NUM_THREADS",
    )

    # Use
    exclude_seen: bool = Field(
        default=True, description="Exclude seen items: items in a user's history are not ranked for that user"
    )
    auto: tuple[str, ...] = Field(
        default=(),
        description="Settings whose values training chooses from the log or on validation: those given as name=auto",
    )

    @model_validator(mode="before")
    @classmethod
    def _left_to_training(cls, values: Any) -> Any:
        """Names of settings given as ``auto`` go to :attr:`auto`; their values stay the defaults until training."""
        if not isinstance(values, Mapping):
            return values
        left = [name for name in AUTOMATIC if values.get(name) == "auto"]
        rest = {name: value for name, value in values.items() if name not in left}
        return {**rest, "auto": tuple(left)} if left else rest

    @field_validator("*")
    @classmethod
    def _whole_numbers_fit(cls, value: Any) -> Any:
        return _fitting(value)

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Settings:
        if self.embedding_dim % self.n_heads:
            raise ValueError(f"n_heads={self.n_heads} must divide embedding_dim={self.embedding_dim}")
        return self

    @model_validator(mode="after")
    def _several_encoders_skip_padding(self) -> Settings:
        if self.n_encoders > 1 and self.padding != "skip":
            raise ValueError(f"n_encoders={self.n_encoders} needs padding=skip")
        return self

    @model_validator(mode="after")
    def _kinds_agree(self) -> Settings:
        named = [*self.event_weights, *filter(None, [self.target_event])]
        others = [kind for kind in named if self.events and kind not in self.events]
        if others:
            raise ValueError(f"{others[0]!r} is none of events={','.join(self.events)}: name the same kinds")
        if self.event_weights and not self.event_weights.get(self.target_kind or "", 0):
            raise ValueError("event_weights: give the kind that is held out (target_event) a weight above 0")
        return self

    @model_validator(mode="after")
    def _needed_settings_are_given(self) -> Settings:
        if self.min_weight is not None and self.weight_column is None:
            raise ValueError("min_weight needs weight_column, the name of the column that it is a limit of")
        if self.input_kinds and not self.reads_kinds:
            raise ValueError("input_kinds needs event_inputs=kind or event_inputs=both")
        return self

    @property
    def width(self) -> int:
        """Length of an item's vector, of all encoders: D."""
        return self.n_encoders * self.embedding_dim

    @property
    def uses_kinds(self) -> bool:
        """Whether kinds of events make a difference."""
        return bool(self.events or self.event_weights or self.target_event or self.reads_kinds)

    @property
    def reads_kinds(self) -> bool:
        """Whether the kinds of the events of a history are inputs of the model."""
        return self.event_inputs in ("kind", "both")

    @property
    def reads_gaps(self) -> bool:
        """Whether the times between the events of a history are inputs of the model."""
        return self.event_inputs in ("gap", "both")

    @property
    def target_kind(self) -> str | None:
        """The kind of event that is held out; None where all kinds are."""
        heaviest = max(self.event_weights, key=self.event_weights.__getitem__, default=None)
        return self.target_event or heaviest

    @property
    def kind_of_new(self) -> str | None:
        """The kind of new events that tell none: the one that is held out, or the only one that is read."""
        return self.target_kind or (self.events[0] if len(self.events) == 1 else None)

    @model_validator(mode="after")
    def _horizon_is_for_softmax(self) -> Settings:
        if self.horizon > 1 and not NEXT_ITEM_LOSSES[self.next_item_loss].multi_step:
            raise ValueError(f"next_item_loss={self.next_item_loss} sees the next item alone: set horizon=1")
        return self

    @model_validator(mode="after")
    def _repeats_are_for_softmax(self) -> Settings:
        if self.repeats == "learned" and not NEXT_ITEM_LOSSES[self.next_item_loss].extra_scores:
            raise ValueError(f"next_item_loss={self.next_item_loss} learns no repeat scores: set repeats=fitted")
        return self

    @model_validator(mode="after")
    def _touched_items_are_few(self) -> Settings:
        if self.item_updates == "touched":
            if NEXT_ITEM_LOSSES[self.next_item_loss].all_items:
                raise ValueError(
                    f"item_updates=touched: {self.next_item_loss} touches all items; set next_item_loss=sampled_softmax"
                )
            if self.smoothing > 0 or self.weight_decay > 0:
                raise ValueError("item_updates=touched: smoothing and weight_decay move all items; set both to 0")
        return self


DATA_SETTINGS = tuple(Settings.model_fields)[: tuple(Settings.model_fields).index("train_share")]
"""Settings of reading, filtering and splitting a log: those before ``train_share``."""
EVALUATION_SETTINGS = (*DATA_SETTINGS, "exclude_seen")
"""Settings that must agree where two results are compared; a baseline has no others."""


def recipe_names() -> list[str]:
    """Names of the recipes that ship with the package."""
    folder = resources.files("elcrec") / "recipes"
    return sorted(path.name.removesuffix(".toml") for path in folder.iterdir() if path.name.endswith(".toml"))


def read_recipe(recipe: str | Path) -> dict[str, Any]:
    """The values a recipe gives, with those of the recipe it ``extends`` below them.

    Args:
        recipe: A shipped name (``default``, ``paper``, ...) or the path of a TOML file.

    Raises:
        SettingsError: No such recipe, a circle of ``extends``, or not TOML.
    """
    values: dict[str, Any] = {}
    seen: list[str] = []
    current: str | None = str(recipe)
    while current is not None:
        if current in seen:
            raise SettingsError(f"recipe {current!r} extends itself: {' -> '.join([*seen, current])}")
        seen.append(current)
        layer = _parse_recipe(current)
        parent = layer.pop("extends", None)
        values = {**layer, **values}
        current = None if parent is None else _beside(current, str(parent))
    return values


def _beside(recipe: str, parent: str) -> str:
    """A recipe file that extends another file means one relative to itself."""
    return str(Path(recipe).parent / parent) if parent.endswith(".toml") else parent


def _parse_recipe(recipe: str) -> dict[str, Any]:
    if recipe in recipe_names():
        text = (resources.files("elcrec") / "recipes" / f"{recipe}.toml").read_text(encoding="utf-8")
        return tomllib.loads(text)
    if recipe.endswith(".toml"):
        return read_toml(recipe, "recipe")
    raise SettingsError(f"unknown recipe {recipe!r}: use {', '.join(recipe_names())} or the path of a .toml file")


def read_toml(path: str | Path, what: str) -> dict[str, Any]:
    """A TOML file written by a user.

    Args:
        path: The file.
        what: What it is, for messages.

    Raises:
        SettingsError: It cannot be read, is not plain UTF-8 or is no TOML.
    """
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # a name with a null character is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"cannot read {what} {str(path)!r}: {reason}") from error
    if content.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SettingsError(f"{what} {path} begins with a byte-order mark: save it as UTF-8 without one")
    try:
        return tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise SettingsError(f"{what} {path} is not UTF-8 (byte {error.start + 1:,}): save it as UTF-8") from error
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, brackets in brackets in ...
        raise SettingsError(f"{what} {path} is not valid TOML: {error}") from error


def resolve(recipe: str | Path = "default", overrides: Mapping[str, Any] | None = None) -> Settings:
    """Settings of a recipe with overrides on top.

    Args:
        recipe: See :func:`read_recipe`.
        overrides: Flat names of :class:`Settings`; values may be text, as from ``--set``.

    Raises:
        SettingsError: Unknown name (with the nearest known one), wrong type or out of range.
    """
    return validate({**read_recipe(recipe), **(overrides or {})})


def overridden(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Values of resolved settings with others on top; what is given is left to training no longer."""
    return {**values, **given, "auto": [name for name in values.get("auto", ()) if name not in given]}


def validate(values: Mapping[str, Any]) -> Settings:
    """Settings from plain values; every problem is named in one line."""
    try:
        return Settings.model_validate(dict(values))
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(problem) for problem in error.errors())) from None


def check_value(name: str, value: Any) -> None:
    """Raise SettingsError unless a value is legal for one setting, whatever the others are."""
    field = Settings.model_fields[name]
    asked: Any = Annotated[field.annotation, field, AfterValidator(_fitting)]
    kind: TypeAdapter[Any] = TypeAdapter(asked, config=ConfigDict(allow_inf_nan=False))
    try:
        kind.validate_python(value)
    except ValidationError as error:
        raise SettingsError(f"{name}={value!r}: {plainly(error.errors()[0])}") from None


def parse_override(text: str) -> tuple[str, str]:
    """``key=value`` of ``--set`` as a pair; the value is converted by :class:`Settings`."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        name = key.strip() if key.strip() in Settings.model_fields else "epochs"
        raise SettingsError(f"--set {text!r}: write it as key=value, without a space: --set {name}=VALUE")
    if key.strip() not in Settings.model_fields:
        raise SettingsError(_unknown(key.strip()))
    return key.strip(), value.strip()


def _unknown(name: str) -> str:
    return f"unknown setting {name!r}: {did_you_mean(name, Settings.model_fields)}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The known name that comes nearest to a misspelt one, or all of them."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def _explain(problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return _unknown(name)
    message = plainly(problem)
    return f"{name}={problem['input']!r}: {message}" if name else message
