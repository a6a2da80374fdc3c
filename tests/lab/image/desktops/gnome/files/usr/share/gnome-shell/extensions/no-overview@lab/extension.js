// SPDX-License-Identifier: LGPL-2.1-or-later
import * as Main from 'resource:///org/gnome/shell/ui/main.js';

export default class NoOverview {
    enable() {
        Main.sessionMode.hasOverview = false;
        Main.layoutManager.connectObject('startup-complete', () => {
            Main.sessionMode.hasOverview = true;
            // GNOME 51 begins with it all the same
            Main.overview.hide();
        }, this);
    }

    disable() {
        Main.layoutManager.disconnectObject(this);
    }
}
