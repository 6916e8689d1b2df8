// What expressions may cost. The operator writes them, but whoever makes a token chooses what they are run on.

/** Bytes of the source. A longer condition is a program, and belongs in a stage of its own. */
export const MAX_SOURCE = 2048

/** Parts of the source: names, operators, literals, calls. */
export const MAX_NODES = 512

/** Depth of parentheses, calls and conditionals in the source. */
export const MAX_DEPTH = 32

/** `all`, `exists`, `exists_one`, `map`, `filter` inside one another. */
export const MAX_NESTING = 2

/** Most steps that an expression can take, worked out from its source and {@link MAX_ITEMS}: some 10 ms. */
export const MAX_COST = 1_000_000

/** Elements of one list, members of one map, that an expression may be given. Longer lists of roles are not seen. */
export const MAX_ITEMS = 256

/** Values, in all, that an expression may be given or return. */
export const MAX_VALUES = 4096

/** UTF-16 code units of one text, bytes of one byte string. */
export const MAX_TEXT = 16_384

/** Lists and maps inside one another; the library remembers the type of each shape that it meets. */
export const MAX_LEVELS = 5

/** UTF-16 code units that `matches` looks at: time is this times the states of the pattern. */
export const MAX_MATCHED = 4096
