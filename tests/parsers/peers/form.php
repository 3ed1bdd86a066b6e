<?php
// Writes down the fields and the names of files that PHP gives to a script.
$items = [];
$leaves = function ($kind, $name, $value) use (&$items, &$leaves) {
    if (is_array($value)) {
        foreach ($value as $key => $member) {
            $leaves($kind, $name . '[' . $key . ']', $member);
        }
    } elseif ($kind === 'v' || $value !== '') {
        $items[] = $kind . ':' . bin2hex((string) $name) . ':' . bin2hex((string) $value);
    }
};
foreach ($_POST as $name => $value) {
    $leaves('v', $name, $value);
}
foreach ($_FILES as $name => $file) {
    $leaves('f', $name, $file['name']);
}
echo implode(' ', $items);
