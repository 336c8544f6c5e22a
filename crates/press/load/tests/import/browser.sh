curl 'http://shop.example:8080/api/orders?draft=1' \
  -X POST \
  -H 'accept: application/json' \
  -H 'content-type: application/json' \
  -H 'content-length: 31' \
  -b 'session=abc; theme=dark' \
  -H 'Authorization: Bearer t0ken' \
  --data-raw $'{"note":"it\'s\\n{{new}}","n":1}' \
  --compressed ;
curl 'http://shop.example:8080/api/orders/7' -H 'accept: application/json' ;
curl 'http://cdn.example/logo.png'
