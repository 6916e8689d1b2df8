/**
 * Text in one line for somebody to read: whatever would end it, move a cursor, colour a terminal or turn what follows around
 * is a U+FFFD instead.
 */
export const plain = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '\ufffd')
