/**
 * The TaskBroker controller: says whether the broker of a namespace can be reached, which server it is, what about it may lose jobs, and
 * whether this cluster dispatches. It resolves the endpoint (spec and Secrets) for all others, and claims the dispatch lease.
 *
 * It looks every 10 s, and every 2 s while the broker is away, because Redis does not announce such things. It writes nothing while
 * nothing changes. It never writes to the broker.
 */
export { taskBrokerKind } from './kind.ts'
