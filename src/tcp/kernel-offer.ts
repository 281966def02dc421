/** Which congestion controls this kernel has for TCP, and which of them its operator lets every process choose. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

export interface KernelOffer {
  readonly available: readonly string[];
  /** `net.ipv4.tcp_allowed_congestion_control`: for processes without CAP_NET_ADMIN. */
  readonly allowed: readonly string[];
  /** Of sockets that nobody chose for. */
  readonly usual: string;
}

/** Null: not Linux, or a container that does not show it (before Linux 5.13). */
export function kernelOffer(folder = '/proc/sys/net/ipv4'): KernelOffer | null {
  const words = (name: string): string[] =>
    readFileSync(path.join(folder, name), 'utf8')
      .split(/\s+/)
      .filter((word) => word !== '');
  try {
    return {
      available: words('tcp_available_congestion_control'),
      allowed: words('tcp_allowed_congestion_control'),
      usual: words('tcp_congestion_control')[0] ?? '',
    };
  } catch {
    return null;
  }
}
