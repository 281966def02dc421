/** Going to an identity provider: what the tab keeps meanwhile, and the buttons that lead there. */
import { get, post } from './api.js';
import { button, element } from './page.js';

/**
 * @typedef {{ flow: string, provider: string, next: string }} Away
 * @typedef {{ name: string, title: string }} Provider
 */

/** Of this tab alone, until it comes back. */
const KEPT = 'waybill-sso';

/**
 * @param {Away} away
 * @param {string} address
 */
export function goAway(away, address) {
  sessionStorage.setItem(KEPT, JSON.stringify(away));
  location.assign(address);
  // The page goes; its buttons must not come back.
  return new Promise(() => undefined);
}

/**
 * What this tab went away with; the second time there is nothing.
 *
 * @returns {Away | null}
 */
export function comeBack() {
  const kept = sessionStorage.getItem(KEPT);
  sessionStorage.removeItem(KEPT);
  return kept === null ? null : JSON.parse(kept);
}

/**
 * The providers that everybody may see; at the address of one (/sign-in/sso/NAME) that one alone, with its host.
 *
 * @param {() => Promise<{ flow: string }>} begin
 * @param {string} next
 */
export async function offerProviders(begin, next) {
  const [, named] = /^\/sign-in\/sso\/([a-z0-9-]{1,40})$/.exec(location.pathname) ?? [];
  /** @type {Provider[]} */
  let offered = [];
  if (named === undefined) ({ providers: offered } = await get('sign-in/sso'));
  else {
    /** @type {Provider & { host: string }} */
    const { name, title, host } = await get(`sign-in/sso/${named}`);
    offered = [{ name, title: `${title} (${host})` }];
  }
  const place = element('elsewhere', HTMLElement);
  place.hidden = offered.length === 0;
  for (const { name, title } of offered)
    place.append(
      button(`Sign in with ${title}`, named === undefined ? '' : 'primary', async () => {
        const { flow } = await begin();
        const { address } = await post('sign-in/sso-start', { flow, provider: name });
        return goAway({ flow, provider: name, next }, address);
      }),
    );
}
