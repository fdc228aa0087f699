/** The zone in which this browser counts its days. */
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
