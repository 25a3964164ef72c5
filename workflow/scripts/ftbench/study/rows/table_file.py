"""A user's table in columns of text: CSV or TSV, JSON lines, parquet. What a cell lacks is "", whatever the form calls it."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftbench.base.errors import InputError, listed
from ftbench.base.given.image_names import suffix
from ftbench.base.given.user_csv import delimiter_of

TEXT, LINES, PARQUET = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson", ".json"), (".parquet", ".pq")
MOST_BYTES = 2 << 30  # of a table; a row of 200 bytes for each of ten million images
NOTHING = ("", "nan")  # cells without a value; pandas and NumPy write nan


@dataclass
class Table:
    """Columns of equally many cells. `lines` are the numbers that messages give; `unit` is what they count."""

    path: Path
    columns: dict[str, list[str]]
    lines: Sequence[int]
    unit: str

    def __len__(self) -> int:
        return len(self.lines)


def read_table(path: str | Path, key: str = "path") -> Table:
    """All rows. Raises InputError, naming the config's `key`, on a file that is no such table or whose rows do not fit its header."""
    path = Path(path)
    kind = suffix(path.name)
    if kind not in (*TEXT, *LINES, *PARQUET):
        raise InputError(
            f"{key}: {path} ends in {kind or 'nothing'}; a table ends in {', '.join((*TEXT, *LINES, *PARQUET))}."
        )
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(
                f"{key}: {path} has more than {MOST_BYTES >> 30} GB; a table of files and labels is smaller."
            )
        reader = _parquet if kind in PARQUET else _json_lines if kind in LINES else _text
        table = reader(path, key)
    except OSError as error:
        raise InputError(
            f"{key}: {path} cannot be read ({error.strerror or error}); give the path of a table."
        ) from error
    if not len(table):
        raise InputError(f"{key}: {path} has no rows; it needs a header and one row for each image.")
    return table


def _text(path: Path, key: str) -> Table:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{key}: {path} is not in UTF-8; save it again as CSV in UTF-8.") from error
    delimiter = "\t" if suffix(path.name) == ".tsv" else delimiter_of(text)
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, delimiter=delimiter)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, key, header)
        rows, lines = [], []
        for row in reader:
            if not any(row):
                continue
            if len(row) != len(header):
                raise InputError(
                    f"{key}: line {reader.line_num} of {path} has {len(row)} cells, and the header has {len(header)}; put text that holds "
                    f"{delimiter!r} in quotes."
                )
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise InputError(f"{key}: line {reader.line_num} of {path} is no row of a CSV ({error}).") from error
    columns = {name: [_plain(cell) for cell in cells] for name, cells in zip(header, zip(*rows))}
    return Table(path, columns or {name: [] for name in header}, lines, "line")


def _check_header(path: Path, key: str, header: list[str]) -> None:
    twice = next((name for name in header if name and header.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{key}: {path} has two columns called {twice}; rename one.")


def _json_lines(path: Path, key: str) -> Table:
    """One object per line, or one list of objects."""
    columns: dict[str, list[str]] = {}
    lines: list[int] = []
    try:
        for number, row in _objects(path):
            if not isinstance(row, dict):
                raise InputError(
                    f'{key}: line {number} of {path} holds no object such as {{"file": ..., "label": ...}}.'
                )
            for name in row.keys() - columns.keys():
                columns[name.strip()] = [""] * len(lines)
            lines.append(number)
            for name, cells in columns.items():
                cells.append(cell_text(row.get(name)))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(f"{key}: {path} is not in JSON lines ({error}); each line is one object, in UTF-8.") from error
    return Table(path, columns, lines, "line")


def _objects(path: Path) -> Iterable[tuple[int, object]]:
    with path.open(encoding="utf-8-sig") as stream:
        start = stream.read(1)
        stream.seek(0)
        if start == "[":
            yield from enumerate(json.load(stream), start=1)
            return
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield number, json.loads(line)


def _parquet(path: Path, key: str) -> Table:
    pyarrow, parquet = import_pyarrow(key)
    try:
        schema = parquet.read_schema(path)
        plain = [field.name for field in schema if is_plain(pyarrow, field.type)]
        table = parquet.read_table(path, columns=plain, memory_map=True)
        columns = {name: column_text(table.column(name).to_pylist()) for name in plain}
    except pyarrow.ArrowException as error:
        raise InputError(f"{key}: {path} is no parquet file that can be read ({_first_line(error)}).") from error
    if not columns:
        raise InputError(
            f"{key}: {path} has the columns {listed(schema.names)} and none with text or numbers; images that lie in the file itself are read "
            "by source: parquet."
        )
    return Table(path, columns, range(1, table.num_rows + 1), "row")


def import_pyarrow(key: str):
    """(pyarrow, pyarrow.parquet). Raises InputError where they are not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(f"{key}: parquet needs the package pyarrow: pip install pyarrow.") from error
    return pyarrow, pyarrow.parquet


def is_plain(pyarrow, kind) -> bool:
    """Whether a column holds one text, number, date or truth value per row."""
    types = pyarrow.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    return not (types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind))


def column_text(values: list) -> list[str]:
    """Values of one column as text. Whole numbers that became real ones, since a cell is empty, are whole numbers again."""
    if any(isinstance(value, float) for value in values):
        numbers = [value for value in values if isinstance(value, float) and value == value]
        if all(value.is_integer() for value in numbers):
            values = [int(value) if isinstance(value, float) and value == value else value for value in values]
    return [cell_text(value) for value in values]


def cell_text(value) -> str:
    """One value as text; lists and tables inside of a cell as JSON."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, default=str)
    return _plain(str(value))


def _plain(cell: str) -> str:
    cell = cell.strip()
    return "" if cell.casefold() in NOTHING else cell


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
