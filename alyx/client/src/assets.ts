/** Where the built files are: their names carry a digest, and the page says them (data-asset-… of its body). */

export function assetUrl(name: string): string {
  const key = `asset${name.replace(/(^|[^a-z])([a-z])/g, (_, _sign, letter: string) => letter.toUpperCase())}`;
  const said = document.body.dataset[key];
  if (!said) throw new Error(`this page does not know ${name}`);
  return said;
}
