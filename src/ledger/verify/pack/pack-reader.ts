/** Reads the members of a pack in their order. Every byte of the archive is accounted for: nothing is skipped. */
import { createHash } from 'node:crypto';
import { malformed } from '../../core/text-forms.ts';
import type { ByteSource } from './bytes.ts';
import { BLOCK, END, padding, parseHeader } from './tar.ts';
import type { MemberHeader } from './tar.ts';

const CHUNK = 1 << 20;

export class PackReader {
  private readonly source: ByteSource;

  constructor(source: ByteSource) {
    this.source = source;
  }

  /** Null at the end of the archive, after which there is nothing. */
  async header(): Promise<MemberHeader | null> {
    const header = parseHeader(await this.exactly(BLOCK));
    if (header !== null) return header;
    const rest = await this.source.read(END.length - BLOCK + 1);
    if (!rest.equals(END.subarray(BLOCK))) throw malformed('the pack does not end where it should');
    return null;
  }

  /** The whole content; at most `max` bytes. */
  async content(size: number, max: number): Promise<{ bytes: Buffer; sha256: string }> {
    if (size > max) throw malformed(`a member of ${size} bytes, at most ${max} can be right`);
    const parts: Buffer[] = [];
    const sha256 = await this.each(size, (part) => parts.push(part));
    return { bytes: Buffer.concat(parts), sha256 };
  }

  /** Hands the content over in parts, and resolves with its SHA-256. */
  async each(size: number, take: (part: Buffer) => unknown): Promise<string> {
    const digest = createHash('sha256');
    for (let left = size; left > 0;) {
      const part = await this.exactly(Math.min(left, CHUNK));
      digest.update(part);
      take(part);
      left -= part.length;
    }
    const fill = padding(size);
    if (!(await this.exactly(fill.length)).equals(fill)) throw malformed('bytes stand between the members of the pack');
    return digest.digest('hex');
  }

  private async exactly(count: number): Promise<Buffer> {
    const bytes = await this.source.read(count);
    if (bytes.length < count) throw malformed('the pack ends too early');
    return bytes;
  }
}
