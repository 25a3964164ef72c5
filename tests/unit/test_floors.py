"""Who may import whom: the floors of the package, read from the syntax trees."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
FLOORS = {
    "ground": "errors files allocator kinds codedigest paths grid search config crosschecks configdoc lease job commands history families records user_tables",
    "first": "arrays augment policies sources download prepare groups split normalization preview architectures flipped "
    "matrices cropping depthwise activations transforms backbones weights stages features devices duplicates plasma warps overlays corruptions environment",
    "second": "distributed strategies recipes objective averaging scoring outcome activity checkpoint loop training probe fitting selection "
    "predict predict_corrupted trained plan strategydoc efficiency transferability audit",
    "third": "calibration selective metrics statistics evaluation cost tta",
    "roof": "axes runs watch tensorboard collect compare tables class_tables recommend ranks table_formats table_columns "
    "html_table table_pages provenance transferability_table clean_test robustness crate plots",
}
ORDER = list(FLOORS)
FLOOR_OF = {name: floor for floor, names in FLOORS.items() for name in names.split()}
GROUND_PACKAGES = {"numpy", "yaml", "jsonschema"}


def module_name(path: Path) -> str:
    parts = path.relative_to(SCRIPTS).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((SCRIPTS / "ftbench").rglob("*.py"))}
PACKAGE_MODULES = sorted(set(MODULES) - {"ftbench"})


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at any depth of a function; `from ftbench import x` counts as ftbench.x."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively, which this test and the code digest do not follow"
            inside = {f"{node.module}.{alias.name}" for alias in node.names} & set(MODULES)
            found.update(inside or {node.module})
    return found


def floor_of(module: str) -> str:
    return FLOOR_OF[module.split(".")[1]]


def test_every_module_is_on_a_floor_and_every_name_is_a_module():
    assert {name.split(".")[1] for name in PACKAGE_MODULES} == set(FLOOR_OF)


@pytest.mark.parametrize("module", PACKAGE_MODULES)
def test_a_module_imports_from_its_own_floor_or_below(module):
    own = ORDER.index(floor_of(module))
    for imported in imports(MODULES[module]) & set(PACKAGE_MODULES):
        assert ORDER.index(floor_of(imported)) <= own, f"{module} ({floor_of(module)}) imports {imported}"


@pytest.mark.parametrize("module", [name for name in PACKAGE_MODULES if floor_of(name) in ("third", "roof")])
def test_the_upper_floors_see_files_only_never_a_network_or_an_image_source(module):
    for imported in imports(MODULES[module]) & set(PACKAGE_MODULES):
        assert floor_of(imported) in ("ground", "third", "roof"), f"{module} imports {imported}"


@pytest.mark.parametrize("module", [name for name in PACKAGE_MODULES if floor_of(name) == "ground"])
def test_the_ground_floor_needs_little_beside_the_standard_library(module):
    others = {name.split(".")[0] for name in imports(MODULES[module])} - {"ftbench"} - set(sys.stdlib_module_names)
    assert others <= GROUND_PACKAGES


def test_ground_third_and_roof_run_without_torch():
    names = ["ftbench", *(name for name in PACKAGE_MODULES if floor_of(name) in ("ground", "third", "roof"))]
    code = "import importlib, sys\n"
    code += f"for name in {names}:\n"
    code += "    importlib.import_module(name)\n"
    code += "    heavy = {'torch', 'torchvision', 'timm'} & set(sys.modules)\n"
    code += "    assert not heavy, f'{name} brings in {heavy}'\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_rules_import_the_ground_floor_only():
    root = SCRIPTS.parents[1]
    files = [root / "Snakefile", *sorted((root / "workflow" / "rules").glob("*.smk"))]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    found = set(re.findall(r"^\s*from ftbench\.(\w+) import", text, re.M))
    for names in re.findall(r"^\s*from ftbench import (.+)$", text, re.M):
        found.update(re.findall(r"\w+", names))
    assert found and {FLOOR_OF[name] for name in found} == {"ground"}
    assert not re.search(r"^\s*(import|from) (torch|timm|torchvision|pandas|sklearn)", text, re.M)


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.stem)
def test_an_entry_script_enters_the_job_before_it_imports_anything_else(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    top |= {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    assert top - set(sys.stdlib_module_names) == {"ftbench.job"}  # the device is leased and the log opened first
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 20


@pytest.mark.parametrize("module", sorted(MODULES))
def test_the_package_knows_no_object_snakemake(module):
    names = {node.id for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))) if isinstance(node, ast.Name)}
    assert "snakemake" not in names or module == "ftbench.job"  # where it is an argument


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_file_has_one_idea_a_docstring_and_at_most_300_lines(module):
    text = MODULES[module].read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 300
