import HTTPServer
import Loop
import Bytes
import Wire

extension Service {
  /// All routes.
  func router() -> Router {
    var router = Router()
    let limit = configuration.maximumBody
    let execute = ExecuteRoute(
      contexts: contexts, runs: runs, queueLimit: configuration.maximumQueued, bodyLimit: limit,
      logger: logger)
    let contextRoutes = ContextRoutes(
      contexts: contexts, runs: runs, workspace: configuration.workspace, bodyLimit: limit)
    let health = HealthRoute(contexts: contexts, runs: runs)
    router.on("GET", "/health", health.respond)
    router.on("POST", "/execute", execute.respond)
    router.on("POST", "/contexts", contextRoutes.create)
    router.on("GET", "/contexts", contextRoutes.list)
    router.on("DELETE", "/contexts/{id}", contextRoutes.delete)
    router.on("POST", "/contexts/{id}/restart", contextRoutes.restart)
    FileRoutes(workspace).add(to: &router)
    return router
  }
}
