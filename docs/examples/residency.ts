// A stage that Dragoman does not ship: keeps tokens of one region from leaving it.
import { DragomanError, type Stage, withMember } from 'dragoman'

interface Options {
  /** Region by country code, such as `{ DE: eu, FR: eu, US: us }`. */
  readonly regions: { readonly [country: string]: string }
  /** The region that this profile's targets are in. */
  readonly here: string
}

export const residency: Stage<Options> = {
  name: 'residency',
  phase: 'meaning',
  summary: 'refuses subjects of another region, and says the region of those of this one',
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['regions', 'here'],
    properties: {
      regions: {
        type: 'object',
        additionalProperties: { type: 'string' },
        description: 'Region by country code.',
      },
      here: { type: 'string', description: 'The region that the targets of this profile are in.' },
    },
  },
  prepare({ regions, here }) {
    const byCountry = new Map(Object.entries(regions))
    if (![...byCountry.values()].includes(here)) {
      throw new DragomanError('ERR_PROFILE_OPTION', { detail: { path: 'here', expected: 'one of the regions' } })
    }
    return {
      transform(draft, { subject }) {
        const country = subject.claims['country']
        const region = typeof country === 'string' ? byCountry.get(country) : undefined
        if (region !== here) {
          throw new DragomanError('ERR_PROFILE_CONDITION', { detail: { rule: 'residency', expected: here } })
        }
        return { ...draft, claims: withMember(draft.claims, 'region', region) }
      },
    }
  },
}
