import { GROUP } from "./message.ts";

/** One error of a microcontroller: the end of the problem's code, what it means, and what to do about it. */
export type Meaning = readonly [code: string, words: string, hint: string];

const NOTHING: Meaning = ["ok", "no error", "nothing"];
const RESET_IT = "reset the microcontroller and try once more; if it stays, look at its own log";
const OPTION = "build the firmware with the option of that command";
const FLASH = "try once more; if it stays, the flash or its driver is faulty";
const SIGNED_AGAIN = "upload it again; if it stays, have it signed again";
const OWN_FAULT = "the firmware has another idea of the protocol: whoever writes it needs this line";

/**
 * The numbers that stand in `rc`, whatever the group. Source: zephyrproject-rtos/zephyr
 * include/zephyr/mgmt/mcumgr/mgmt/mgmt_defines.h, commit 06758ff.
 */
export const COMMON: readonly Meaning[] = [
  NOTHING,
  ["unknown", "the microcontroller does not say what failed", RESET_IT],
  [
    "no-memory",
    "the microcontroller has too little memory for the answer",
    "reset the microcontroller; if it stays, its firmware needs larger buffers (CONFIG_MCUMGR_TRANSPORT_NETBUF_SIZE)",
  ],
  [
    "invalid",
    "the microcontroller does not take the request as it is",
    "with old firmware try --smp 1; otherwise tell the firmware's maker",
  ],
  ["device-timeout", "something took too long within the microcontroller", "try again in a moment"],
  ["not-found", "the microcontroller has no such thing", "look at what it has: kilowitness firmware list"],
  [
    "bad-state",
    "the microcontroller cannot do that in its present state",
    "look at its state: kilowitness firmware list",
  ],
  [
    "answer-too-large",
    "the answer does not fit into a message",
    "the firmware needs larger buffers (CONFIG_MCUMGR_TRANSPORT_NETBUF_SIZE)",
  ],
  ["not-supported", "the microcontroller does not know the command", OPTION],
  ["corrupt", "the request arrived corrupted, or the stored data are", "try once more, and check the cable"],
  ["busy", "the microcontroller is busy with another command", "try again in a moment"],
  [
    "denied",
    "the microcontroller denies access",
    "it has to be unlocked as its maker says; nothing here can do that",
  ],
  [
    "too-old",
    "the microcontroller wants a newer version of the protocol",
    "leave --smp out, or update this program",
  ],
  ["too-new", "the microcontroller knows only an older version of the protocol", "try --smp 1"],
];

/** Zephyr os_mgmt.h and apache/nuttx-apps os_mgmt.h (the same list, one longer). */
const OS: readonly Meaning[] = [
  NOTHING,
  ["os-unknown", "the microcontroller does not say what failed", RESET_IT],
  ["os-invalid-format", "the microcontroller does not know the format that was asked for", OWN_FAULT],
  ["os-no-answer", "the microcontroller has no answer to the query", OPTION],
  ["os-no-time", "the clock of the microcontroller is not set", "set it, or leave its clock alone"],
  ["os-clock-failed", "the clock of the microcontroller failed", RESET_IT],
  ["os-no-value", "the microcontroller has no valid value for the query", OPTION],
];

const ANOTHER_UPLOAD = "is another program uploading? end it, or reset the microcontroller; then try again";
const LOOK = "look at what it has: kilowitness firmware list";

/**
 * Source: zephyrproject-rtos/zephyr include/zephyr/mgmt/mcumgr/grp/img_mgmt/img_mgmt.h, commit 189d1d5, and its later
 * additions 30 to 34.
 */
const IMAGE: readonly Meaning[] = [
  NOTHING,
  ["image-unknown", "the microcontroller does not say what failed", RESET_IT],
  [
    "image-flash-config",
    "the layout of the flash cannot be read",
    "check the partitions in the firmware's build",
  ],
  ["image-none", "there is no image in the slot", "upload one first"],
  ["image-no-trailer", "the image in the slot has no trailer", SIGNED_AGAIN],
  ["image-bad-trailer", "the trailer of the image in the slot is malformed", SIGNED_AGAIN],
  ["image-two-hashes", "the image in the slot has more than one hash", SIGNED_AGAIN],
  ["image-bad-trailer-size", "the trailer of the image in the slot has a wrong size", SIGNED_AGAIN],
  ["image-hash-not-found", "no slot has an image of that hash", LOOK],
  [
    "image-no-free-slot",
    "no slot is free: one runs, and the other waits for a test, a confirmation or a way back",
    "confirm what runs (kilowitness firmware confirm) or reset the microcontroller; then try again",
  ],
  ["image-flash-open", "the flash cannot be opened", FLASH],
  ["image-flash-read", "the flash cannot be read", FLASH],
  ["image-flash-write", "the flash cannot be written", FLASH],
  ["image-flash-erase", "the flash cannot be erased", FLASH],
  ["image-invalid-slot", "there is no such slot", LOOK],
  ["image-no-memory", "the microcontroller has too little memory", RESET_IT],
  ["image-context-set", "another upload is under way within the microcontroller", ANOTHER_UPLOAD],
  ["image-context-not-set", "no upload is under way within the microcontroller", ANOTHER_UPLOAD],
  ["image-no-flash-device", "the flash has no driver", "build the firmware with the driver of its flash"],
  ["image-invalid-page", "the offset is in no page of the flash", OWN_FAULT],
  ["image-no-offset", "the request has no offset", OWN_FAULT],
  ["image-no-length", "the request has no length", OWN_FAULT],
  ["image-short-header", "the first piece is shorter than the header of an image", OWN_FAULT],
  [
    "image-bad-magic",
    "this is no image: its first bytes are others",
    "check that the microcontroller's bootloader is MCUboot",
  ],
  [
    "image-bad-hash",
    "the hash in the request is none",
    "the firmware knows images by a hash of another length: sign for it (imgtool --pure or not), or build it to match",
  ],
  [
    "image-wrong-address",
    "the image is made for another address of the flash",
    "link and sign the image for the slot it goes to",
  ],
  ["image-no-version", "the version of the running image cannot be read", RESET_IT],
  ["image-downgrade", "the running image is as new or newer", "install a newer image"],
  [
    "image-already-pending",
    "an image waits for its test or confirmation already",
    "reset the microcontroller, which starts it; then confirm it, or reset once more",
  ],
  [
    "image-bad-vectors",
    "the vector table of the image is invalid",
    "link the image for its slot, and sign it again",
  ],
  ["image-too-large", "the image does not fit into the slot", "build a smaller image"],
  ["image-overrun", "more data came than the image is long", ANOTHER_UPLOAD],
  [
    "image-confirm-denied",
    "the microcontroller does not let this image be confirmed",
    "it may be confirmed by the firmware alone: ask its maker",
  ],
  ["image-test-active", "the running image cannot be set for a test", "nothing has to be done: it runs"],
  ["image-active-unknown", "the microcontroller does not know which slot runs", RESET_IT],
];

/** Zephyr stat_mgmt.h. */
const STATISTICS: readonly Meaning[] = [
  NOTHING,
  ["statistics-unknown", "the microcontroller does not say what failed", RESET_IT],
  ["statistics-not-found", "there are no statistics of that name", "list them first"],
  ["statistics-no-field", "there is no counter of that name", "list the statistics first"],
  ["statistics-size", "a counter has a size that cannot be sent", OWN_FAULT],
  ["statistics-aborted", "reading the statistics was broken off", "try once more"],
];

/** By group; others are an application's own, and their files know them. */
export const BY_GROUP: ReadonlyMap<number, readonly Meaning[]> = new Map([
  [GROUP.os, OS],
  [GROUP.image, IMAGE],
  [GROUP.statistics, STATISTICS],
]);

export const UNKNOWN_NUMBER: Meaning = [
  "refused",
  "the microcontroller refused, with a number that is not known",
  "look it up in the documentation of its firmware",
];
