"""``python3 -m kioskd`` is ``kioskd``."""

import sys

from kioskd.cli import main

sys.exit(main())
