"""Who may import whom: the order of the package's folders, read from the syntax trees."""

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ftbench.study import kinds

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
# From the ground up. A folder imports from itself and from those before it.
GROUND = ("base", "study")
NETWORK_WING = ("machine", "data", "pixels", "model", "train", "predict", "measure")
FILE_WING = ("evaluate", "compare", "report")
WAY_OUT = ("export",)  # brings the two wings together, after a study has ended
ROOF = ("tools",)
ORDER = (*GROUND, *NETWORK_WING, *FILE_WING, *WAY_OUT, *ROOF)
GROUND_PACKAGES = {"numpy", "yaml", "jsonschema", "pyarrow"}  # the last only where a table is in parquet


def module_name(path: Path) -> str:
    parts = path.relative_to(SCRIPTS).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((SCRIPTS / "ftbench").rglob("*.py"))}
PACKAGE_MODULES = sorted(set(MODULES) - {"ftbench"})
ENTRY_SCRIPTS = sorted(set(SCRIPTS.glob("*.py")) - {SCRIPTS / "ftbench_job.py"})


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


def folder_of(module: str) -> str:
    return module.split(".")[1]


def ours(module: str) -> set[str]:
    """The modules of the package that a module imports, without the folders that hold them."""
    return imports(MODULES[module]) & set(PACKAGE_MODULES)


def test_every_folder_has_a_place_in_the_order():
    assert {folder_of(name) for name in PACKAGE_MODULES} == set(ORDER)


@pytest.mark.parametrize("module", PACKAGE_MODULES)
def test_a_module_imports_from_its_own_folder_or_from_those_before_it(module):
    own = ORDER.index(folder_of(module))
    for imported in ours(module):
        assert ORDER.index(folder_of(imported)) <= own, f"{module} imports {imported}"


def test_no_import_goes_in_a_circle():
    graphlib.TopologicalSorter({name: ours(name) for name in PACKAGE_MODULES}).prepare()  # raises CycleError


@pytest.mark.parametrize("module", [name for name in PACKAGE_MODULES if folder_of(name) in FILE_WING])
def test_the_file_wing_sees_files_only_never_a_network_or_an_image_source(module):
    for imported in ours(module):
        assert folder_of(imported) in (*GROUND, *FILE_WING), f"{module} imports {imported}"


@pytest.mark.parametrize("module", [name for name in PACKAGE_MODULES if folder_of(name) in GROUND])
def test_the_ground_needs_little_beside_the_standard_library(module):
    others = {name.split(".")[0] for name in imports(MODULES[module])} - {"ftbench"} - set(sys.stdlib_module_names)
    assert others <= GROUND_PACKAGES


def test_the_ground_the_file_wing_and_what_watches_run_without_torch():
    builds_networks = {
        f"ftbench.tools.{name}"
        for name in ("documents.backbone_doc", "passes", "plan", "documents.strategy_doc", "try_networks")
    }
    names = [name for name in PACKAGE_MODULES if folder_of(name) in (*GROUND, *FILE_WING, *ROOF)]
    names = ["ftbench", *(name for name in names if name not in builds_networks)]
    code = "import importlib, sys\n"
    code += f"for name in {names}:\n"
    code += "    importlib.import_module(name)\n"
    code += "    heavy = {'torch', 'torchvision', 'timm'} & set(sys.modules)\n"
    code += "    assert not heavy, f'{name} brings in {heavy}'\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_rules_import_the_ground_only():
    root = SCRIPTS.parents[1]
    files = [root / "Snakefile", *sorted((root / "workflow" / "rules").glob("*.smk"))]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    found = re.findall(r"^\s*from (ftbench[\w.]*) import", text, re.M)
    assert found and {folder_of(name) for name in found} <= set(GROUND)
    assert not re.search(r"^\s*(import|from) (torch|timm|torchvision|pandas|sklearn)", text, re.M)


def test_a_folder_holds_a_docstring_alone_unless_it_is_a_door():
    """The digest of a rule follows no parent folder, so that nothing that runs may stand there."""
    doors = {f"ftbench.{folder.replace('/', '.')}" for folder in kinds.DOORS.values()}
    for name, path in MODULES.items():
        if path.name == "__init__.py" and name not in doors | {"ftbench"}:
            body = ast.parse(path.read_text(encoding="utf-8")).body
            assert len(body) == 1 and isinstance(body[0], ast.Expr), name


@pytest.mark.parametrize("path", ENTRY_SCRIPTS, ids=lambda path: path.stem)
def test_an_entry_script_enters_the_job_before_it_imports_anything_else(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    top |= {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    assert top - set(sys.stdlib_module_names) == {"ftbench_job"}  # the device is leased and the log opened first
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 20


@pytest.mark.parametrize("module", sorted(MODULES))
def test_the_package_knows_no_object_snakemake(module):
    names = {node.id for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))) if isinstance(node, ast.Name)}
    assert "snakemake" not in names or module == "ftbench.base.job"  # where it is an argument


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_file_has_one_idea_a_docstring_and_at_most_300_lines(module):
    text = MODULES[module].read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 300


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES.values()}), ids=lambda folder: folder.name)
def test_a_folder_is_taken_in_at_a_glance(folder):
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 16
