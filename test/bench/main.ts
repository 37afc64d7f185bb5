/** `make bench`: prints figures and ratios against a peer in the same run; it never passes or fails by time. */
import { benchConsumer } from './consumer.ts'
import { benchReconcile } from './reconcile.ts'
import { benchReflector } from './reflector.ts'
import { benchWake } from './wake.ts'

await benchWake(Number(process.env['ROUNDS'] ?? 40))
await benchConsumer()
await benchReconcile(20)
await benchReflector()
