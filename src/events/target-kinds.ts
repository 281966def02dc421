export const TARGET_KINDS = ['webhook', 'syslog', 'mail'] as const;
export type TargetKind = (typeof TARGET_KINDS)[number];
