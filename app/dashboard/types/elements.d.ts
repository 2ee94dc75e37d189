/** What elements of the page are made from, and what comes out. */

type Tag<Name extends string> = Name extends `${infer First}.${string}` ? First : Name;

/** The element that a name such as "input" or "p.quiet.small" makes. */
export type Made<Name extends string> =
  Tag<Name> extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[Tag<Name>] : HTMLElement;

export type Child = Node | string | number | false | null | undefined | readonly Child[];

// biome-ignore lint/suspicious/noExplicitAny: each listener says which event it takes.
type Listener = (event: any) => unknown;

/** What an attribute's value may be; `style` has several, and `on…` are listeners. */
export type Attributes = {
  [name: string]:
    | string
    | number
    | boolean
    | null
    | undefined
    | Record<string, string | number>
    | Listener;
} & { [name in `on${string}`]?: Listener };
