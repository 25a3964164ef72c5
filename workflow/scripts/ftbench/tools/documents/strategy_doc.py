"""Write docs/strategies.md's table by asking every strategy: `python -m ftbench.tools.documents.strategy_doc`. A test holds them in step."""

from pathlib import Path

import torch

from ftbench.model import architectures, backbones, freezing
from ftbench.model.backbones import Backbone
from ftbench.study import kinds
from ftbench.tools.documents.marked import rewritten
from ftbench.train import strategies

PAGE = Path(__file__).parents[5] / "docs" / "strategies.md"
BEGIN, END = "<!-- table: written by ftbench.tools.documents.strategy_doc -->", "<!-- end of table -->"
NETWORKS = {"ResNet-18, 128 px": ("torchvision", "resnet18", 128), "ViT-B/16, 96 px": ("torchvision", "vit_b_16", 96)}
CLASSES = 10
STARTS = {
    "random": "random weights",
    "pretrained": "pretrained, head zero",
    "probe": "pretrained, head of the probe",
    "any": "pretrained where there are weights, else random",
    "of": "finished runs of another strategy",
    "given": "nothing: another model answered elsewhere",
}
NOTHING_TRAINS = {"runs": "those of its members, before", "given": "not known"}  # engine -> what moves


def network(name: str) -> Backbone:
    """One of NETWORKS without numbers, on torch's meta device."""
    source, model, size = NETWORKS[name]
    with torch.device("meta"):
        made = architectures.load(source).build(model, CLASSES, size)
    return Backbone(made, backbones.find_head(made, CLASSES, model), size, [0.5] * 3, [0.5] * 3)


def moving(kind: str, name: str) -> int:
    """Trainable parameters of strategy `kind` on one of NETWORKS; 0 if it trains nothing itself."""
    backbone, strategy = network(name), strategies.load(kind)
    if strategy.trainable is None:
        return 0
    strategy.adapt(backbone, kinds.declared(kind).get("options", {}))
    freezing.freeze(backbone, strategy.trainable(backbone))
    return sum(p.numel() for p in backbone.network.parameters() if p.requires_grad)


def parameters(name: str) -> int:
    """All parameters of one of NETWORKS."""
    return sum(p.numel() for p in network(name).network.parameters())


def _cached(declares: dict) -> str:
    if declares["engine"] == "features" or declares["start"] == "probe":
        return "features of all training rows"
    return "with `cached_views`, what is frozen" if "cached_views" in declares.get("options", {}) else "nothing"


def table() -> str:
    rows = []
    for kind in kinds.names("strategies"):
        declares = kinds.declared(kind)
        counts = [moving(kind, name) for name in NETWORKS]
        on_features = declares["engine"] == "features"
        trains = declares["engine"] not in NOTHING_TRAINS
        frozen = [round(100 * (1 - count / parameters(name))) for count, name in zip(counts, NETWORKS)]
        state = "none" if on_features or not trains else " / ".join(f"{8 * count / 1e6:,.1f} MB" for count in counts)
        rows.append(
            [
                f"`{kind}`",
                STARTS[declares["start"]],
                " / ".join(f"{count:,}" for count in counts) if trains else NOTHING_TRAINS[declares["engine"]],
                "all the time"
                if on_features
                else "nothing trains"
                if not trains
                else " / ".join(f"{max(0, share)} %" for share in frozen),
                state,
                _cached(declares),
                {"learning_rate": "learning rate", "l2": "L2", "k": "k", "alpha": "α", None: "nothing"}[
                    declares["tuned"]
                ],
            ]
        )
    headings = ["kind", "starts from", "parameters that move", "frozen", "AdamW's state", "cached", "tuned"]
    note = (
        "Numbers are for "
        + " / ".join(NETWORKS)
        + f" with {CLASSES} classes; SGD with momentum keeps half of AdamW's state."
    )
    lines = [" | ".join(cells).join(("| ", " |")) for cells in (headings, ["---"] * len(headings), *rows)]
    return "\n".join([*lines, "", note])


def render(text: str) -> str:
    """`text` with what stands between the two markers replaced."""
    return rewritten(text, BEGIN, END, table())


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
