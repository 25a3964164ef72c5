"""What a study may not ask of cached views (`ftbench.study.cached_views`): that they be something else than a step sees."""

from ftbench.base.errors import InputError
from ftbench.study import grid, settings
from ftbench.study.cached_views import OPTION, cached, views_of, wildcards
from ftbench.study.kinds import declared


def check_cached_views(config: dict) -> None:
    """Raise InputError where cached views would not be what a step sees."""
    for cell in cached(config, grid.trained(config, grid.cells(config))):
        entry = config["strategies"][cell.strategy]
        recipe, views = entry["recipe"], views_of(config, cell.strategy)
        where, policy = f"config: strategies.{cell.strategy}.{OPTION} is {views}", wildcards(config, cell)["policy"]
        for key in ("mixup", "cutmix"):
            if recipe[key]:
                raise InputError(
                    f"{where}, but its {key} is {recipe[key]:g}, which mixes images before the frozen part; set {key} to 0 or {OPTION} to null."
                )
        if recipe.get("image_sizes"):
            raise InputError(
                f"{where}, but its image_sizes are {recipe['image_sizes']}, and views are cached at one size; set one of both to null."
            )
        if config["gpus_per_run"] > 1:
            raise InputError(
                f"{where}, but gpus_per_run is {config['gpus_per_run']}; cached views are read by one process: set it to 1, or {OPTION} to null."
            )
        if config["compile"]:
            raise InputError(
                f"{where}, but compile is true, which compiles whole networks; set it to false, or {OPTION} to null."
            )
        if settings.start(config, cell) not in grid.PRETRAINED:
            raise InputError(
                f"{where}, but it starts from random weights on backbones.{cell.backbone}, which differ from seed to seed; set it to null."
            )
        if views > 1 and declared(policy, "policies").get("random") is False:
            raise InputError(
                f"{where}, but under the augmentation {recipe['augmentation']} all views of an image are the same; set it to 1."
            )
