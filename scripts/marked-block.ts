/** Parts of hand-written documents that are generated: what stands between `<!-- name -->` and `<!-- /name -->`. */

/** What stands between the markers. Throws when they are not there. */
export function markedBlock(text: string, name: string): string {
  return partsOf(text, name).block;
}

/** The document with other content between the markers. Throws when they are not there. */
export function withMarkedBlock(text: string, name: string, block: string): string {
  const { before, after } = partsOf(text, name);
  return `${before}\n\n${block === "" ? "" : `${block}\n\n`}${after}`;
}

function partsOf(text: string, name: string): { before: string; block: string; after: string } {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(end, from);
  if (!text.includes(begin) || to < 0) throw new Error(`there are no markers ${begin} and ${end}`);
  return { before: text.slice(0, from), block: text.slice(from, to).trim(), after: text.slice(to) };
}
