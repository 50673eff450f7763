// Selection by labels, as Kubernetes means it: every pair of the selector must be there, and no pair selects everything.

type Labels = Readonly<Record<string, string>>;

export function selects(selector: { readonly matchLabels: Labels }, labels: Labels): boolean {
  return Object.entries(selector.matchLabels).every(([name, value]) => labels[name] === value);
}
