/** Numbers of draft-ietf-secsh-filexfer-02 (SFTP version 3) and the bounds of one packet. */
export const SFTP_VERSION = 3;

export const FXP = {
  INIT: 1,
  VERSION: 2,
  OPEN: 3,
  CLOSE: 4,
  READ: 5,
  WRITE: 6,
  LSTAT: 7,
  FSTAT: 8,
  SETSTAT: 9,
  FSETSTAT: 10,
  OPENDIR: 11,
  READDIR: 12,
  REMOVE: 13,
  MKDIR: 14,
  RMDIR: 15,
  REALPATH: 16,
  STAT: 17,
  RENAME: 18,
  READLINK: 19,
  SYMLINK: 20,
  STATUS: 101,
  HANDLE: 102,
  DATA: 103,
  NAME: 104,
  ATTRS: 105,
  EXTENDED: 200,
  EXTENDED_REPLY: 201,
} as const;

/** Section 7: a version 3 server must not answer with any other code. */
export const FX = {
  OK: 0,
  EOF: 1,
  NO_SUCH_FILE: 2,
  PERMISSION_DENIED: 3,
  FAILURE: 4,
  BAD_MESSAGE: 5,
  OP_UNSUPPORTED: 8,
} as const;

/** Section 6.3, OPEN's pflags. */
export const FXF = { READ: 1, WRITE: 2, APPEND: 4, CREAT: 8, TRUNC: 0x10, EXCL: 0x20 } as const;

/** Section 5, which attributes are present. */
export const ATTR = { SIZE: 1, UIDGID: 2, PERMISSIONS: 4, ACMODTIME: 8, EXTENDED: 0x80000000 } as const;

/** What OpenSSH's client takes as the largest read and write: 256 KiB less room for the header. */
export const TRANSFER_BYTES_MAX = 255 * 1024;
/** The length that limits@openssh.com names. */
export const PACKET_BYTES_ADVERTISED = 256 * 1024;
/** What is really accepted: clients that write full 256 KiB put their header on top. */
export const PACKET_BYTES_MAX = PACKET_BYTES_ADVERTISED + 1024;
