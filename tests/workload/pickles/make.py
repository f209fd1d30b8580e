"""Makes the pickles beside it, one a version: run with that version of pandas, e.g. ``python make.py 4``.

They are never unpickled: the tests read them as data.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

protocol = int(sys.argv[1])
table = pd.DataFrame(
    {
        "NamespaceHash": ["n0", "n1"],
        "AppHash": ["a", "b"],
        "NumEvents": [2, 1],
        "InvocationTimes": [[17999.5, 18000.25], [18001]],
        "AppExecTimes": [np.array([3.0, 4.0]), [np.float64(5)]],
        "TotalExecTimes": [[4.0, 5], [6]],
        "PodHash": [["p", "q"], ["p"]],
    }
)
table.to_pickle(Path(__file__).with_name(f"pandas_{pd.__version__}_protocol_{protocol}.pickle"), protocol=protocol)
