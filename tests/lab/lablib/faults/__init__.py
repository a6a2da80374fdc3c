# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fault table: what goes wrong, and whether the host gets its screen back."""
