import pytest
import torch
import torchvision
from small import META_BACKBONES, meta_network

from ftbench.base.errors import InputError
from ftbench.model import architectures
from ftbench.model.architectures import ftbench as small_resnets
from ftbench.model.architectures import timm as timm_models
from ftbench.model.architectures import torchvision as torchvision_models
from ftbench.study import kinds

LIBRARIES = kinds.names("architectures")


@pytest.mark.parametrize("source", LIBRARIES)
def test_a_library_has_all_functions_and_lists_only_what_it_can_build(source):
    library = architectures.load(source)
    names = library.names()
    assert len(names) == len(set(names)) > 0
    functions = ("build", "tags", "published", "convert", "load", "native_size")
    assert all(callable(getattr(library, name)) for name in functions)


@pytest.mark.parametrize("source", LIBRARIES)
def test_an_unknown_model_is_one_sentence_with_close_names(source):
    library = architectures.load(source)
    for ask in (lambda: library.build("resnet8O", 3, 32), *[lambda: library.published("resnet8O", "X")] * (source != "ftbench")):  # fmt: skip
        with pytest.raises(InputError) as caught:
            ask()
        sentence = str(caught.value)
        assert sentence.startswith(f"config: the model 'resnet8O' does not exist in {source}; close names: ")
        assert "resnet" in sentence.split("close names: ")[1] and "\n" not in sentence


def test_a_name_like_no_other_still_gets_suggestions():
    with pytest.raises(InputError, match=r"close names: \w+, .*in all\)\.$"):
        architectures.check_model("torchvision", "zzzzqqqq", torchvision_models.names())


@pytest.mark.parametrize("source, model, valid", [("torchvision", "resnet50", "IMAGENET1K_V2"), ("timm", "resnet50", "a1_in1k")])  # fmt: skip
def test_an_unknown_tag_is_one_sentence_with_the_valid_ones(source, model, valid):
    with pytest.raises(InputError) as caught:
        architectures.load(source).published(model, "IMAGENET1K_V9")
    sentence = str(caught.value)
    assert "'IMAGENET1K_V9'" in sentence and valid in sentence and sentence.endswith("none.")


def test_the_small_resnets_publish_nothing():
    with pytest.raises(InputError, match=r"'best' of 'resnet8' do not exist: the source ftbench publishes none\."):
        small_resnets.published("resnet8", "best")


@pytest.mark.parametrize("name, expected", [("resnet8", 78_042), ("resnet20", 272_474)])
def test_the_small_resnets_have_the_parameters_that_the_docstring_says(name, expected):
    network = small_resnets.build(name, 10, 32)
    assert sum(p.numel() for p in network.parameters()) == expected


@pytest.mark.parametrize("name", small_resnets.DEPTHS)
def test_the_depth_is_in_the_name(name):
    with torch.device("meta"):
        network = small_resnets.build(name, 10, 32)
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size == (3, 3)]
    assert len(convolutions) + 1 == int(name.removeprefix("resnet"))  # and the linear layer


@pytest.mark.parametrize("size", [8, 9, 32])
def test_a_small_resnet_takes_any_size_from_eight_pixels_up(size):
    network = small_resnets.build("resnet8", 4, size).eval()
    assert network(torch.zeros(2, 3, size, size)).shape == (2, 4)


@pytest.mark.parametrize("name", META_BACKBONES)
def test_a_network_of_the_study_gives_logits_at_its_size(name):
    entry, network, _ = meta_network(name)
    with torch.no_grad():
        logits = network.eval()(torch.empty(2, 3, entry["image_size"], entry["image_size"], device="meta"))
    assert logits.shape == (2, 10)


@pytest.mark.parametrize(
    "name", [name for name, entry in META_BACKBONES.items() if entry["source"] == "torchvision" and "vit" not in name]
)
def test_parameters_are_those_that_torchvision_publishes_but_for_the_head(name):
    entry, network, head = meta_network(name)
    weights = torchvision.models.get_model_weights(entry["model"])[entry["weights"]]
    features = network.get_submodule(head).in_features
    expected = weights.meta["num_params"] - (1000 - 10) * (features + 1)
    assert sum(p.numel() for p in network.parameters()) == expected


def test_position_embeddings_are_interpolated_to_the_networks_grid():
    """A constant embedding stays constant, a ramp stays a ramp of the same ends, and the class token is left alone."""
    with torch.device("meta"):
        network = torchvision_models.build("vit_b_16", 10, 96)
    grid = 14
    ramp = torch.linspace(-1, 1, grid)[:, None].expand(grid, grid).reshape(1, -1)
    embedding = torch.zeros(1, grid**2 + 1, 768)
    embedding[0, 0] = 7.0
    embedding[0, 1:, 0], embedding[0, 1:, 1] = 3.0, ramp
    state = torchvision_models.adapt("vit_b_16", {"encoder.pos_embedding": embedding, "other": ramp}, network, 96)
    adapted = state["encoder.pos_embedding"]
    assert adapted.shape == network.encoder.pos_embedding.shape == (1, 37, 768)
    assert torch.equal(adapted[0, 0], embedding[0, 0]) and torch.equal(state["other"], ramp)
    assert torch.allclose(adapted[0, 1:, 0], torch.full((36,), 3.0), atol=1e-5)
    rows = adapted[0, 1:, 1].view(6, 6)
    assert torch.allclose(rows, rows[:, :1].expand(6, 6), atol=1e-5)
    assert (rows[1:, 0] > rows[:-1, 0]).all() and rows[0, 0] == pytest.approx(-1, abs=0.05)


def test_a_timm_transformer_is_built_and_fed_at_another_size():
    with torch.device("meta"):
        network = timm_models.build("vit_tiny_patch16_224", 10, 96)
        assert network(torch.empty(1, 3, 96, 96)).shape == (1, 10)
    assert network.pos_embed.shape[1] == 37
    state = dict(timm_models.build("vit_tiny_patch16_224", 5, 224).state_dict()) | {
        "pos_embed": torch.ones(1, 197, 192)
    }
    adapted = timm_models.load("vit_tiny_patch16_224", state, 10, 96, lambda state, _: state)
    assert adapted.pos_embed.shape == (1, 37, 192)
    assert torch.allclose(adapted.pos_embed, torch.ones(()), atol=1e-4)
    assert torch.equal(adapted.blocks[3].mlp.fc1.weight, state["blocks.3.mlp.fc1.weight"])


@pytest.mark.parametrize("library, model", [(small_resnets, "resnet8"), (torchvision_models, "resnet18"), (timm_models, "resnet18")])  # fmt: skip
def test_a_convolutional_networks_tensors_are_taken_as_they_are(library, model):
    state = {name: torch.randn(tensor.shape) for name, tensor in library.build(model, 5, 32).state_dict().items()}
    given = []
    network = library.load(model, state, 3, 32, lambda state, network: given.append(state) or {
        name: tensor for name, tensor in state.items() if not name.startswith("fc.")})  # fmt: skip
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and not name.startswith("fc."):
            assert torch.equal(tensor, state[name]), name
    assert len(network.state_dict()["fc.weight"]) == 3 and len(given) == 1
    assert torch.nn.Module.load_state_dict.__qualname__ == "Module.load_state_dict"  # as torch has it


@pytest.mark.parametrize(
    "source, model, says",
    [
        ("timm", "vit_tiny_patch16_224.augreg_in21k", "write model: vit_tiny_patch16_224 and weights: augreg_in21k"),
        ("timm", "hf-hub:timm/resnet18.a1_in1k", "names a place, not an architecture"),
        ("torchvision", "resnet18.IMAGENET1K_V1", "write model: resnet18 and weights: IMAGENET1K_V1"),
    ],
)
def test_a_name_with_its_tag_or_a_place_is_answered_with_advice(source, model, says):
    with pytest.raises(InputError, match=says):
        architectures.load(source).build(model, 3, 32)
