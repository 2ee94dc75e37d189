"""The allow-list: every object a network's `config.json` may name, as Keras 3.15 writes it.

Keras looks an object up by `registered_name` first and by `module` and `class_name` after that, so
only the exact triple that Keras itself writes is allowed. Layers that are random only in training
are excluded on purpose: in inference they do nothing and would report no uncertainty.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from dubito.bundles.validation.own_layers import MODULE, OWN_LAYERS
from dubito.domains import domains

Role = Literal[
    "model", "layer", "operator", "initializer", "regularizer", "constraint", "policy", "encoding"
]
Triple = tuple[str | None, str, str | None]
"""Key of an object: `module`, `class_name` and `registered_name`."""


@dataclass(frozen=True, slots=True)
class AllowedObject:
    """Role of an allowed object, and the settings that its `config` may have; None allows any."""

    role: Role
    settings: frozenset[str] | None = None


INERT = (
    "Dropout",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
)
"""Stochastic layers of Keras, which do nothing outside training."""

_ACTIVATIONS = (
    "celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh"
    " leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink"
    " softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh"
    " tanh_shrink threshold"
)
ACTIVATIONS = frozenset(_ACTIVATIONS.split())
FLOATS = ("float32", "float64")

_COMMON = "name trainable dtype activity_regularizer autocast "
_AFFINE = (
    "axis epsilon center scale beta_initializer gamma_initializer beta_regularizer"
    " gamma_regularizer beta_constraint gamma_constraint "
)
_KERNEL = (
    "activation use_bias kernel_initializer bias_initializer kernel_regularizer bias_regularizer"
    " kernel_constraint bias_constraint "
)
_WINDOW = "pool_size padding strides data_format"

_LAYERS = {
    "InputLayer": "batch_shape sparse ragged optional",
    "Dense": _KERNEL + "units quantization_config",
    "Activation": "activation",
    "ReLU": "max_value negative_slope threshold",
    "LeakyReLU": "negative_slope",
    "PReLU": "alpha_initializer alpha_regularizer alpha_constraint shared_axes",
    "ELU": "alpha",
    "Softmax": "axis",
    "BatchNormalization": _AFFINE
    + "momentum moving_mean_initializer moving_variance_initializer synchronized renorm"
    " renorm_clipping renorm_momentum",
    "LayerNormalization": _AFFINE + "rms_scaling",
    "GroupNormalization": _AFFINE + "groups",
    "Normalization": "axis invert mean variance",
    "UnitNormalization": "axis",
    "Rescaling": "scale offset",
    "ActivityRegularization": "l1 l2",
    "Concatenate": "axis",
    "Embedding": "input_dim output_dim embeddings_initializer embeddings_regularizer"
    " embeddings_constraint mask_zero quantization_config",
    "Flatten": "data_format",
    "Reshape": "target_shape",
    "Permute": "dims",
    "RepeatVector": "n",
} | dict.fromkeys(("Identity", "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"), "")
for _axes in ("1D", "2D"):
    _LAYERS[f"Conv{_axes}"] = (
        _KERNEL + "filters kernel_size strides padding data_format dilation_rate groups"
    )
    for _kind in ("Average", "Max"):
        _LAYERS[f"{_kind}Pooling{_axes}"] = _WINDOW
        _LAYERS[f"Global{_kind}Pooling{_axes}"] = "data_format keepdims"
_PARTS: dict[Role, str] = {
    "initializer": "Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal"
    " LecunUniform Ones Orthogonal RandomNormal RandomUniform TruncatedNormal VarianceScaling"
    " Zeros",
    "regularizer": "L1 L1L2 L2 OrthogonalRegularizer",
    "constraint": "MaxNorm MinMaxNorm NonNeg UnitNorm",
}


def _layer(settings: str) -> AllowedObject:
    return AllowedObject("layer", frozenset((_COMMON + settings).split()))


def _own_layers() -> Iterator[tuple[str, str, str]]:
    """Yield module, class name and settings of every layer of Dubito and its domains."""
    for name, layer in OWN_LAYERS.items():
        for module in (MODULE, *layer.old_modules):
            yield module, name, layer.settings
    for domain in domains():
        for name, layer in domain.layers.items():
            for module in (domain.layer_module, *layer.old_modules):
                yield module, name, layer.settings


@cache
def build_allow_list() -> dict[Triple, AllowedObject]:
    """Build the allow-list: kinds of objects by the triple that Keras writes for them."""
    functional = frozenset({"name", "trainable", "layers", "input_layers", "output_layers"})
    sequential = frozenset({"name", "trainable", "dtype", "layers", "build_input_shape"})
    objects: dict[Triple, AllowedObject] = {
        ("keras.src.models.functional", "Functional", "Functional"): AllowedObject(
            "model", functional
        ),
        ("keras", "Sequential", None): AllowedObject("model", sequential),
        ("keras", "DTypePolicy", None): AllowedObject("policy", frozenset({"name"})),
    }
    for name, settings in _LAYERS.items():
        objects["keras.layers", name, None] = _layer(settings)
    for module, name, settings in _own_layers():
        objects[module, name, f"dubito>{name}"] = _layer(settings)
    for name in ("Add", "Multiply", "Subtract"):
        objects["keras.src.ops.numpy", name, name] = AllowedObject("operator", frozenset({"name"}))
    for role, names in _PARTS.items():
        for name in names.split():
            objects[f"keras.{role}s", name, None] = AllowedObject(role)
    for name in ("__keras_tensor__", "__numpy__", "__tensor__"):
        objects[None, name, None] = AllowedObject("encoding")
    return objects
