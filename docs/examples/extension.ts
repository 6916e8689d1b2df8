// What `dragoman --extension docs/examples/extension.ts` brings: the codec and the stage of the other two files.
import type { Extension } from 'dragoman'
import { protobuf } from './protobuf.ts'
import { residency } from './residency.ts'

export const extension: Extension = { codecs: [protobuf], stages: [residency] }
