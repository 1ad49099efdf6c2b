/** Where SMA's meters send to (EMETER-Protokoll-TI-en-10). */
export const SPEEDWIRE_GROUP = "239.12.255.254";
export const SPEEDWIRE_PORT = 9522;
