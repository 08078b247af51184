const KEY = "agenthub-key";

/** The key of this tab, where the hub asks for one; kept until the tab is closed. */
export const apiKey = sessionStorage.getItem(KEY) ?? "";

/** Use this key from now on: everything is read anew with it. */
export function keepKey(key: string): void {
  sessionStorage.setItem(KEY, key);
  location.reload();
}
