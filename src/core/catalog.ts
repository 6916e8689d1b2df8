import type { ClientMethod } from './client.ts'
import type { Codec } from './codec.ts'
import type { Grant } from './grant.ts'
import type { ProofMethod } from './proof.ts'
import type { Expression, Stage } from './stage.ts'

/** Everything a gateway can do, by kind. Another codec, stage, grant, method or proof is one more value in a list. */
export interface Catalog {
  readonly codecs: readonly Codec[]
  readonly stages: readonly Stage[]
  readonly grants: readonly Grant[]
  readonly clientMethods: readonly ClientMethod[]
  readonly proofMethods: readonly ProofMethod[]
  /** Compiles an expression of a profile. */
  readonly expression: (source: string) => Expression
}

/** What is given beside the built-in ones: values of one's own, by kind. */
export type Extension = { readonly [Kind in Exclude<keyof Catalog, 'expression'>]?: Catalog[Kind] }
