"""Write the table of ``experiments/README.md`` anew from the files in ``data/experiments/``.

python experiments/table.py
"""

import json
from pathlib import Path

from charlm_utils.files import bundled_data_dir

README = Path(__file__).with_name("README.md")
HEAD = "| experiment | question | answer | effect with its uncertainty | seeds | minutes | chapter |"


def table():
    """Return the table: one line per experiment, in the order of their names."""
    lines = [HEAD, "|---|---|---|---|---|---|---|"]
    for path in sorted((bundled_data_dir() / "experiments").glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        seeds = sorted({row["seed"] for row in record["results"] if row["seed"] is not None})
        columns = [
            f"`{path.stem}`",
            record["question"],
            record["answer"],
            record["effect"],
            ", ".join(map(str, seeds)) or "none",
            "not recorded" if record["minutes"] is None else f"{record['minutes']:.0f}",
            record["chapter"],
        ]
        lines.append(f"| {' | '.join(columns)} |")
    return "\n".join(lines) + "\n"


def main():
    """Replace what stands from the table's head on."""
    text = README.read_text(encoding="utf-8")
    before = text.split(HEAD)[0]
    README.write_text(before + table(), encoding="utf-8")


if __name__ == "__main__":
    main()
