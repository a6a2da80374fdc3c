/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* MESSAGE_ID= of what a person would ask about, named for the event: "journalctl -x" looks the ID
 * up in helpers/gpu-guest.catalog, which has an entry for each. An ID says the same for ever, since
 * journals are kept: a new event gets a new one, made with "systemd-id128 new". */

/* vfio-claim */
#define MESSAGE_NO_CARD "2e963ae05ea0467aa04472f6025ddb10"
#define MESSAGE_NO_IOMMU "69e8dff436d0479585a1a8356f47bf98"
#define MESSAGE_GROUP_SHARED "2b4e92dbacbc4714acf2a23b55921149"
#define MESSAGE_NO_VFIO_PCI "2dbbde6e453b4141a7740397d0d6af7b"
#define MESSAGE_CARD_HAS_GUEST "679d7545b9cd4ec1b2113d2c0817345d"
#define MESSAGE_CARD_IN_USE "d7761e2d7e024e3ba3f2c6c85c8ceea6"
#define MESSAGE_DRIVER_STAYS "d432178f61df4e82a7d671d829dc5b9a"
#define MESSAGE_VFIO_PCI_REFUSES "e2814ec38ff440c895c9c9e830f1cc51"
#define MESSAGE_CARD_READY "6fdc167e28964eb2973108d7331b071b"

/* gpu-guest-lease */
#define MESSAGE_DEVICE_MISSING "73f307beef9343c2b6a2270483007276"
#define MESSAGE_DEVICE_GROUP_SHARED "de4e343066df480ead60f9907e7028f5"

/* seat-clear */
#define MESSAGE_SESSION_STAYS "8b1129817ac94f7e928ad3eb5b08c160"

/* holders-clear */
#define MESSAGE_HOLDER_NOT_OURS "b4cd5ed257004fb09bdac60cf2dff856"
#define MESSAGE_HOLDER_KEPT "9fd0eeec63b24a27a6cfd3c1d512e88d"
#define MESSAGE_HOLDER_STAYS "4c4b042c877644d9998202577b2cc750"
#define MESSAGE_PROCESS_ENDED "974182e4f29946fa8cfbab6488d8dba1"
#define MESSAGE_PROCESS_KILLED "9da20b8d848946afaebfde264e118b0c"
#define MESSAGE_SERVICE_STOPPED "c56e6ba4b93d45619d9d03641965c4dc"
#define MESSAGE_SERVICE_RESUMED "70b96a633ebb4f23939ad4448e2efbe5"
#define MESSAGE_SERVICE_NOT_RESUMED "626772db06754bf6b513745de7ead612"

/* audio-unbind */
#define MESSAGE_AUDIO_IN_USE "2301b8c86fc1401cbcbad38b78c8f8e1"
#define MESSAGE_AUDIO_STAYS "aad5a41eece44b17b9b2af3f1137a4c9"
#define MESSAGE_AUDIO_NOT_BACK "2125e77481de4f74870910eed10c7fe9"

/* vtcon-unbind */
#define MESSAGE_CONSOLE_STAYS "c1d7237aeced4c3fa4df537aec085ee9"
#define MESSAGE_CONSOLE_NOT_BACK "e287fb6ba1aa4fe096df4a2ebc1b230f"

/* guest-watch */
#define MESSAGE_GUEST_HAS_CARD "b93ac0341c8246fb905f0dd65d952979"
#define MESSAGE_CARD_UNUSED "5a8264c8c09c439badcf6280762a8742"

/* guest-shutdown */
#define MESSAGE_GUEST_ASKED "295e4ba2dc1a481dbabf4650cd84fda4"
#define MESSAGE_GUEST_GOES_ON "1c3d88a0785f40e68a145bdbbc3cd861"
#define MESSAGE_GUEST_STOPPED "f47fc812c58c40278fc68981ff8a5a17"
#define MESSAGE_GUEST_STAYS "d59af9ed8eca422192715626340f1393"

/* i915-restore */
#define MESSAGE_CARD_AWAITED "351724a1c9924094a060494ac06cd7b4"
#define MESSAGE_VFIO_PCI_STAYS "b71defcaef0b47329f80196e2bea9027"
#define MESSAGE_DRIVER_REFUSES "94801667212c4254b70dafa398014002"
#define MESSAGE_CARD_LOST "1d9a245cc50e4ce19be8275840bfbc22"
#define MESSAGE_CARD_BACK "eb1cdb6a5f9a41c183d8721f64d9cc0e"

/* desktop-return */
#define MESSAGE_NO_SCREEN "da51066117ba48af90b263af4ab3826d"
#define MESSAGE_DESKTOP_BACK "cab97c38c2864927bcded286dd20af8b"
#define MESSAGE_DESKTOP_STAYS_AWAY "49f82a289ed64db7b492322bc833742d"
#define MESSAGE_DESKTOP_FAILS "5cda41a59a5f4d2bb70e86127360b3cd"
