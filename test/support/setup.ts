import { watchOutput } from './watch.ts'

watchOutput()
