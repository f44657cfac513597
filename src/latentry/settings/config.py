"""One run's settings together, and their strict JSON form."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args, get_origin

from latentry.errors import InputError, unknown_name
from latentry.settings.condition import ConditionSettings
from latentry.settings.data import DataSettings
from latentry.settings.gan import AugmentSettings, CriticSettings, GANSettings, check_game
from latentry.settings.models import AutoencoderSettings, SamplerSettings, VAESettings
from latentry.settings.network import NetworkSettings
from latentry.settings.training import TrainingSettings
from latentry.settings.vqvae import VQVAESettings

FORMAT = 1
LENGTHS = ("budget", "images", "epochs")  # how long to train, said in one of three ways
ModelSettings = AutoencoderSettings | VAESettings | VQVAESettings | GANSettings
FAMILIES: dict[str, type[ModelSettings]] = {
    "autoencoder": AutoencoderSettings,
    "vae": VAESettings,
    "vqvae": VQVAESettings,
    "gan": GANSettings,
}
_OTHERS = {  # groups of settings that a family reads beside model, network, data and training
    "autoencoder": ("sampler",),
    "vae": ("condition", "sampler"),
    "vqvae": ("condition",),
    "gan": ("critic", "condition", "augment"),
}

_OTHER_TYPES: dict[str, type[Any]] = {
    "critic": CriticSettings,
    "condition": ConditionSettings,
    "augment": AugmentSettings,
    "sampler": SamplerSettings,
}

T = TypeVar("T")


@dataclass(frozen=True)
class Config:
    """Everything that a run was asked for; with the data, enough to repeat it."""

    recipe: str
    model: ModelSettings
    network: NetworkSettings = field(default_factory=NetworkSettings)
    critic: CriticSettings = field(default_factory=CriticSettings)
    condition: ConditionSettings = field(default_factory=ConditionSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    data: DataSettings = field(default_factory=DataSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)

    def __post_init__(self) -> None:
        """Refuse numbers that are none, and groups that do not go together."""
        for group in self.groups:
            _check_finite(getattr(self, group))
        if isinstance(self.model, GANSettings):
            check_game(self.model, self.critic, self.augment, self.training.batch, self.condition.condition)
        self._check_rows()
        if isinstance(self.model, AutoencoderSettings) and self.sampler.sampler == "prior":
            raise InputError("an autoencoder has no prior for sampler=prior; use mixture, two-stage or auto")
        if self.condition.condition == "none":
            return
        without_layers = self.network.backbone == "mlp" and not self.network.hidden
        if self.condition.condition_by == "norm" and (self.network.norm == "none" or without_layers):
            raise InputError(
                "condition-by=norm sets the gain of normalisation layers; it needs norm=batch or norm=group"
                + (", and a hidden layer to be normalised" if without_layers else "")
            )
        if isinstance(self.model, VQVAESettings) and self.condition.condition_by == "norm":
            raise InputError(
                "condition-by=norm tells a decoder, and of a vq-vae only the prior is told; use concatenation"
            )
        if isinstance(self.model, VAESettings) and self.model.prior == "vamp":
            raise InputError("prior=vamp encodes pseudo-inputs, which have no condition; use prior=normal")

    def _check_rows(self) -> None:
        """Refuse a batch of one picture, or pack, where a step compares pictures."""
        batch, norms, packing = self.training.batch, [self.network.norm], 1
        if isinstance(self.model, GANSettings):
            norms, packing = [*norms, self.critic.critic_norm], self.model.packing
        if batch // packing < 2 and self.network.backbone == "mlp" and "batch" in norms:
            packs = f" of packing (={packing})" if packing > 1 else ""
            raise InputError(
                f"batch (={batch}){packs} gives batch normalisation of fully connected layers no other picture to "
                "compare with; use a larger batch, or norm=group"
            )
        if self.one_alone_is_too_few and batch < 2:
            raise InputError(f"tc-estimator=mss compares pictures; batch (={batch}) must be at least 2")

    @property
    def one_alone_is_too_few(self) -> bool:
        """Whether the objective is undefined for a single picture."""
        model = self.model
        return isinstance(model, VAESettings) and model.objective == "total-correlation" and model.tc_estimator == "mss"

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of settings that this family reads."""
        return ("model", "network", *_OTHERS[self.family], "data", "training")

    @property
    def family(self) -> str:
        """The name of the model family, a key of `FAMILIES`."""
        return next(name for name, cls in FAMILIES.items() if type(self.model) is cls)

    def to_json(self) -> dict[str, Any]:
        """Every setting, resolved, as JSON values."""
        groups = {name: dataclasses.asdict(getattr(self, name)) for name in self.groups}
        return {"format": FORMAT, "recipe": self.recipe, "family": self.family, **groups}

    def with_settings(self, **settings: Any) -> Config:
        """A copy with some settings replaced, each named alone: `config.with_settings(beta=4, batch=128)`.

        A new length of the run (budget, images or epochs) takes the place of the config's own.

        Raises:
            InputError: a name that no group of settings has (nearest names are offered), or a value it refuses.
        """
        if given := [name for name in LENGTHS if settings.get(name) is not None]:
            settings = {**{name: None for name in LENGTHS if name not in given}, **settings}
        owners = {f.name: group for group in self.groups for f in dataclasses.fields(getattr(self, group))}
        changes: dict[str, dict[str, Any]] = {}
        for name, value in settings.items():
            if name not in owners:
                raise unknown_name("setting", name, owners)
            changes.setdefault(owners[name], {})[name] = value
        replaced = {group: _replace_checked(getattr(self, group), values) for group, values in changes.items()}
        return dataclasses.replace(self, **replaced)


def config_from_json(record: dict[str, Any]) -> Config:
    """The config that `to_json` wrote.

    Raises:
        InputError: another format, an unknown family or key, or a value of the wrong type.
    """
    record = dict(record)
    if (received := record.pop("format", None)) != FORMAT:
        raise InputError(f"config has format {received!r}; this version of latentry reads format {FORMAT}")
    family = record.pop("family", None)
    if family not in FAMILIES:
        raise unknown_name("model family", str(family), FAMILIES)
    recipe = record.pop("recipe", None)
    if not isinstance(recipe, str):
        raise InputError(f"config has recipe {recipe!r}; it must be a name")
    types_of_groups: dict[str, Any] = {
        "model": FAMILIES[family],
        "network": NetworkSettings,
        "data": DataSettings,
        "training": TrainingSettings,
        **{name: _OTHER_TYPES[name] for name in _OTHERS[family]},
    }
    for key in record:
        if key not in types_of_groups:
            raise unknown_name("key in config", key, types_of_groups)
    groups: dict[str, Any] = {
        name: settings_from_json(cls, record.get(name, {}), name) for name, cls in types_of_groups.items()
    }
    return Config(recipe=recipe, **groups)


def settings_from_json(cls: type[T], record: object, where: str) -> T:
    """A settings dataclass from a JSON object; unknown keys and wrong types are refused."""
    if not isinstance(record, dict):
        raise InputError(f"{where} must be a JSON object, not {record!r}")
    hints = typing.get_type_hints(cls)
    for key in record:
        if key not in hints:
            raise unknown_name(f"setting in {where}", key, hints)
    return cls(**{key: _coerce(value, hints[key], f"{where}.{key}") for key, value in record.items()})


def _check_finite(settings: Any) -> None:
    """Refuse infinity and not-a-number, which comparisons with the ends of a range let pass."""
    for name, value in dataclasses.asdict(settings).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{name.replace('_', '-')} (={value}) must be a finite number")


def _replace_checked(settings: Any, values: dict[str, Any]) -> Any:
    hints = typing.get_type_hints(type(settings))
    return dataclasses.replace(settings, **{k: _coerce(v, hints[k], k) for k, v in values.items()})


def _coerce(value: Any, hint: Any, where: str) -> Any:
    """`value` as the type that `hint` declares, from its JSON form; refused where it does not fit."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is types.UnionType or origin is typing.Union:
        if value is None and type(None) in arguments:
            return None
        options = [a for a in arguments if a is not type(None)]
        exact = [a for a in options if a is type(value)]
        return _coerce(value, (exact or options)[0], where)
    if origin is typing.Literal:
        if value not in arguments:
            raise unknown_name(f"value for {where}", str(value), [str(a) for a in arguments])
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{where} (={value!r}) must be a list")
        return tuple(_coerce(item, arguments[0], where) for item in value)
    if hint is float and type(value) is int:
        return float(value)
    if hint is str and type(value) is int:
        return str(value)
    if type(value) is not hint:
        raise InputError(f"{where} (={value!r}) must be of type {hint.__name__}")
    return value
