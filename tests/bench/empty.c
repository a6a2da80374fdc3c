/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a program takes that does nothing: its libraries. */

int main(void) {
        return 0;
}
