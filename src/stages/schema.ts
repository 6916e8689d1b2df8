/** Pieces of JSON Schema that several stages share. */

// Longer claim names are not in any registry; a limit keeps refusals and records readable.
const MAX_NAME = 256

export const claimName = { type: 'string', minLength: 1, maxLength: MAX_NAME } as const

export const claimNames = (description: string) => ({
  type: 'array',
  description,
  items: claimName,
  minItems: 1,
  uniqueItems: true,
})

/** RFC 6749 §3.3 */
export const scopeName = { type: 'string', pattern: '^[\\x21\\x23-\\x5B\\x5D-\\x7E]+$' } as const

export const scopeNames = (description: string) => ({
  type: 'array',
  description,
  items: scopeName,
  uniqueItems: true,
})

/** An option that only takes `true`: what it allows must be read where it stands. */
export const danger = (description: string) => ({ const: true, description })
