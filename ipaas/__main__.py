"""`python -m ipaas` is the command `ipaas`."""

import sys

from ipaas.cli import main

sys.exit(main())
