import { type Danger, dangers } from '../../core/profile.ts'
import type { Hit, LintRule, Rule } from '../finding.ts'
import type { Reading } from '../reading.ts'
import { placesOf, profilesIn } from '../roles.ts'

/** What each `danger_` option is found as: one rule for each, so that a new danger does not compile without one. */
const RULES: { readonly [D in Danger]: Rule } = {
  danger_any_target: {
    id: 'LINT-201',
    name: 'any-target',
    finds: 'Any audience may be asked for.',
    why: 'The client chooses who will believe the output: every service that trusts this gateway can be reached with it.',
    cure: 'List the targets in `accept.targets.allow`.',
  },
  danger_widen_scope: {
    id: 'LINT-202',
    name: 'widen-scope',
    finds: 'Scope is granted that the subject token does not have.',
    why: 'A token that was meant for little becomes one for much; its issuer and its user never agreed.',
    cure: 'Take it out: then `allow` is cut to what the token has. Where names differ, say so in `scope.map`.',
  },
  danger_outlive_subject: {
    id: 'LINT-301',
    name: 'outlives-subject',
    finds: 'The output may live longer than the tokens it was made from.',
    why: 'A session that ended at its issuer goes on here; an expiry that somebody relied on is none.',
    cure: 'Take it out, and exchange again when the output expires; or keep `lifetime` short and say why.',
  },
  danger_start_earlier: {
    id: 'LINT-302',
    name: 'starts-earlier',
    finds: 'The output may be valid before the subject token is.',
    why: 'A token that was issued for later can be used now.',
    cure: 'Take it out, and exchange when the token has become valid.',
  },
  danger_drop_confirmation: {
    id: 'LINT-401',
    name: 'drops-confirmation',
    finds: 'A token that is bound to a key becomes one that is bound to nothing.',
    why: 'Whoever steals the output can use it, though the input was protected against just that.',
    cure: 'Keep it: `sender_constraint: { require: true }`; or bind it anew: `rebind: client`.',
  },
  danger_drop_act: {
    id: 'LINT-402',
    name: 'drops-act',
    finds: 'The delegation history is left out.',
    why: 'Who acted for the user is known nowhere behind this gateway: delegation looks like the user himself.',
    cure: 'Take it out: `act` then goes along as it is.',
  },
  danger_embed_bearer: {
    id: 'LINT-403',
    name: 'embeds-bearer',
    finds: 'A bearer token is carried whole inside the output.',
    why: 'Every reader of the output can take it out and use it wherever it is valid.',
    cure: 'Carry its digest: `token: { what: digest }`.',
  },
  danger_unsigned: {
    id: 'LINT-406',
    name: 'unsigned-subject',
    finds: 'A subject token without a signature is taken.',
    why: 'Who the subject is rests on the word of the client alone: whoever has its credentials can name anybody.',
    cure: 'Let the client sign what it says: `self_signed`.',
  },
}

/** One rule for each `danger_` option of the core, and one for those of stages from outside. */
export const dangerRules: readonly LintRule[] = [
  ...Object.entries(RULES).map(([option, rule]) => ({
    ...rule,
    look: (reading: Reading) => setIn(reading, (name) => name === option),
  })),
  {
    id: 'LINT-499',
    name: 'danger',
    finds: 'A `danger_` option of a stage of your own is set.',
    why: 'Its name says that it gives something up; the reference of the stage says what.',
    cure: 'Take it out, or silence it with the reason.',
    look: (reading) => setIn(reading, (name) => name.startsWith('danger_') && !Object.hasOwn(dangers, name)),
  },
]

const setIn = (reading: Reading, is: (name: string) => boolean): readonly Hit[] =>
  profilesIn(reading).flatMap(({ document, source }) =>
    placesOf(document, (name, value) => value === true && is(name)).map((path) => {
      const option = String(path.at(-1))
      const says = Object.hasOwn(dangers, option) ? dangers[option as Danger] : 'something is given up'
      return { source, path, atName: true, says }
    }),
  )
