import Hummingbird

/// Serves nothing yet.
func addPageRoutes(to router: Router<ServingContext>) {}
