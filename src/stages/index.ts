import type { Stage } from '../core/stage.ts'
import { context } from './context.ts'
import { crypto } from './crypto.ts'
import { embedding } from './embedding.ts'
import { encoding } from './encoding.ts'
import { format } from './format.ts'
import { senderConstraint } from './sender_constraint.ts'
import { subject } from './subject.ts'
import { validity } from './validity.ts'

/** The eight kinds of change, as the requirements draft names them: five of meaning, then three of writing. */
export const stages: readonly Stage[] = [
  subject,
  context,
  embedding,
  validity,
  senderConstraint,
  format,
  encoding,
  crypto,
]
