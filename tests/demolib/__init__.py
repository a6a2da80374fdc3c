# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rooms of tests/demo: what it watches, and the page and the pictures that it makes of that."""
