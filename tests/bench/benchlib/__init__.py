# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the benches have in common."""
