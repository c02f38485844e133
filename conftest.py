"""Settings that every kernel of the notebook tests inherits."""

import os

os.environ.setdefault("CHARLM_SCALE", "reduced")  # the stored outputs are those of the reduced scale
os.environ["COLUMNS"] = "80"  # some outputs follow the width of the terminal
