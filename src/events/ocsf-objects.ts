/** Objects of the schema that several classes share. Pure. */

/** What a `sign-in` said of a session. */
export interface SeenSession {
  readonly login: string;
  readonly account: string | null;
  readonly address: string;
}

export interface Context {
  /** Null when its sign-in was not seen: then events name the session alone. */
  session(session: string): SeenSession | null;
}

export type ClassName =
  'authentication' | 'account' | 'entity' | 'access' | 'finding' | 'incident' | 'lifecycle' | 'file';

export interface Shape {
  readonly class: ClassName | null;
  readonly activity_id: number;
  readonly activity?: string;
  readonly severity?: number;
  readonly status?: 'success' | 'failure';
  readonly detail?: string;
  readonly message: string;
  readonly fields?: object;
}

export function user(session: string | null, context: Context): object {
  const seen = session === null ? null : context.session(session);
  if (seen === null) return { name: 'unknown' };
  return { name: seen.login, ...(seen.account === null ? {} : { uid: seen.account }) };
}

export function actor(session: string | null, context: Context): object {
  // What no session did, the server did by itself: retention, pick-ups that are over.
  if (session === null) return { app_name: 'Waybill' };
  const seen = context.session(session);
  return { session: { uid: session }, ...(seen === null ? {} : { user: user(session, context) }) };
}

export function source(session: string | null, context: Context): object {
  const address = session === null ? '' : (context.session(session)?.address ?? '');
  return { src_endpoint: address === '' ? { name: 'unknown' } : { ip: address } };
}

interface FileObject {
  readonly path: string;
  readonly file?: string | null;
  readonly version?: string | null;
  readonly size?: number;
  readonly folderItself?: boolean;
}

export function fileAt({ path, file, version, size, folderItself }: FileObject): object {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return {
    name: name === '' ? (file ?? '/') : name,
    type_id: folderItself === true ? 2 : 1,
    ...(path === '' ? {} : { path }),
    ...(file === undefined || file === null ? {} : { uid: file }),
    ...(version === undefined || version === null ? {} : { version }),
    ...(size === undefined ? {} : { size }),
  };
}

export function finding(activity: number, info: { uid: string; title: string }, type: string): Shape {
  const product = { name: 'Waybill', vendor_name: 'Waybill' };
  return {
    class: 'finding',
    activity_id: activity,
    message: info.title,
    fields: { finding_info: { ...info, types: [type], product }, is_alert: activity === 1 },
  };
}

const FACTORS: ReadonlyMap<string, number> = new Map([
  ['password', 11],
  ['totp', 7],
  ['passkey', 10],
]);

export function factorOf(factor: string): object {
  return {
    factor_type: factor,
    factor_type_id: FACTORS.get(factor) ?? 99,
    ...(factor === 'totp' ? { is_totp: true } : {}),
  };
}
