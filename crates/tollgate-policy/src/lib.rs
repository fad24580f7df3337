//! Policy files, scopes, accounts and the Gate.
